package source

// lfsPointer begins the text that git has in place of a file which Git LFS keeps elsewhere (docs/spec.md of git-lfs).
const lfsPointer = "version https://git-lfs.github.com/spec/v1\n"

// MaxPointer is how many bytes such a text has at most.
const MaxPointer = 1024

// IsPointer tells whether that is what a file's content is.
func IsPointer(content []byte) bool {
	return len(content) <= MaxPointer && len(content) >= len(lfsPointer) && string(content[:len(lfsPointer)]) == lfsPointer
}
