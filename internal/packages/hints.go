package packages

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/pkgrepo/trust"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/redoxfs"
)

// WithHint adds to an error about packages what can be done about it, as far as that is known.
func WithHint(err error) error {
	if hint := hintFor(err); hint != "" {
		return fmt.Errorf("%w\n  %s", err, hint)
	}
	return err
}

func hintFor(err error) string {
	var format *pkgar.FormatError
	var library *pkgrepo.MissingLibraryError
	var removal *pkgrepo.RemovalError
	var lost *lostLibraryError
	var index *pkgrepo.IndexError
	var order *pkgrepo.OrderError
	var older *pkgrepo.DowngradeError
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return ""
	case errors.Is(err, pkgar.ErrNoKey):
		return "-key=KEY names the public key: a file, a folder that has " + pkgrepo.KeyFile + ", or 64 hex digits"
	case errors.Is(err, pkgar.ErrNotFresh):
		return "name a folder that is not there yet, or give -key=KEY in place of -insecure"
	case errors.Is(err, pkgar.ErrWrongKey):
		return "another key is right, the package does not come from whom it should, or the file is no package"
	case errors.Is(err, pkgar.ErrSignature), errors.Is(err, pkgar.ErrHash), errors.Is(err, pkgar.ErrTruncated):
		return "the file is damaged or forged: get it again from its source"
	case errors.As(err, &library):
		return "name the package that has it as well; -force installs all the same"
	case errors.As(err, &lost):
		return "remove what needs it as well; -force goes on all the same"
	case errors.As(err, &index) && index.Downgrade, errors.As(err, &order) && order.Downgrade:
		return "somebody may be showing an older state of the repository; -downgrade takes it all the same"
	case errors.As(err, &older):
		return "-downgrade goes back all the same"
	case errors.As(err, &index):
		return "ask the repository's owner. If it is all right, " + forgetting(index.File)
	case errors.As(err, &order):
		return "ask the repository's owner. If it is all right, " + forgetting(order.File)
	case errors.As(err, &removal):
		return removalHint(removal)
	case errors.Is(err, pkgrepo.ErrOffline):
		return "`mage pkg:fetch NAMES` gets packages while the network may be used"
	case errors.Is(err, pkgrepo.ErrNotFound):
		return "`mage pkg:search TEXT` lists what there is; -repo=URL names another repository"
	case redoxfs.KindOf(err) == redoxfs.Full:
		return "`mage image:grow MIB` makes the image larger"
	case errors.As(err, &format):
		return "the file is no sound pkgar archive"
	}
	return ""
}

func removalHint(e *pkgrepo.RemovalError) string {
	if len(e.Needed) > 0 && len(e.Protected) == 0 {
		return "remove what needs it as well: `mage pkg:remove A,B`"
	}
	if len(e.Protected) > 0 {
		return "the list of protected packages is in " + pkgrepo.StateFile
	}
	return ""
}

// forgetting is how a repository is met for the first time again.
func forgetting(file string) string {
	return fmt.Sprintf("`rm -f %s` forgets the repository, its key included", process.Quote([]string{file, trust.Copy(file)}))
}
