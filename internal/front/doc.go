// Package front is what a user meets before a target runs: which targets there are and in which groups, what their words and flags
// mean, whether a command line is right, help and completion.
//
// It owns the groups, the texts, and the form of a command line, which it turns into the one that Mage's binary takes. What targets
// there are and what they take it has from Mage's own reading of the magefiles; what can be named it finds in the checkout's folders.
// It must not know how a target works.
package front
