// Package sessiontest makes sessions in empty checkouts for tests, with small packages and programs to work on.
//
// It owns nothing that the product uses.
package sessiontest
