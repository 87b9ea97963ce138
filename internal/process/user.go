package process

// User is a user and group that a program believes it runs as. What it may do to files stays what this
// process may: the identity is that of a user namespace, in which this process's own user is called so.
// Only Linux has them, and not every machine lets everybody make one.
type User struct{ UID, GID int }
