package toolchain

import (
	"errors"

	"github.com/hashicorp/go-multierror"
)

// Report is everything `toolchain:show` shows. Parts that are not known are
// nil: a machine without the toolchain still has a pin to show.
type Report struct {
	Pin          *Pin          `json:"-"`
	Channel      string        `json:"pin"`
	Toolchain    *Toolchain    `json:"toolchain,omitempty"`
	Identity     *Identity     `json:"identity,omitempty"`
	Capabilities *Capabilities `json:"capabilities,omitempty"`
	Problems     []string      `json:"problems,omitempty"` // why a part is not known, or does not fit the pin
}

// NewReport puts together what is known.
func NewReport(i *Installed) *Report {
	report := &Report{Pin: i.Pin, Channel: i.Pin.Toolchain.Channel, Toolchain: i.Toolchain, Identity: i.Identity, Capabilities: i.Caps}
	report.add(i.Problem)
	if i.Toolchain != nil && i.Caps != nil {
		report.add(i.Pin.Verify(i.Toolchain, i.Caps.Version))
	}
	return report
}

// add notes each of the errors in err.
func (r *Report) add(err error) {
	var several *multierror.Error
	if !errors.As(err, &several) {
		several = multierror.Append(several, err)
	}
	for _, one := range several.WrappedErrors() {
		if one != nil {
			r.Problems = append(r.Problems, one.Error())
		}
	}
}
