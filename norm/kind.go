package norm

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/normswap/normswap/ops"
)

// A Norm maps one vector to its normalized form; dst is as long as x, and either
// is x or does not overlap it.
type Norm interface {
	Apply(dst, x []float32)
}

// A Positional norm treats the first token of a sequence apart.
type Positional interface {
	Norm
	// ApplyAt is Apply for the token at a position, from 0 on.
	ApplyAt(dst, x []float32, position int)
}

// Constants are what a form computes with beside the vector, by name.
type Constants map[string]float64

// A Calibrator finds the constants of a form at one site, vector by vector.
type Calibrator interface {
	// Add takes in a vector that the site reads, of the token at a position.
	Add(x []float32, position int)
	// Constants returns what was found; an error if that is too little.
	Constants() (Constants, error)
}

// A Kind is a form of norm.
type Kind struct {
	Name string
	// Parameter names the number that follows the name and a colon, such as P in
	// prms:P; "" if there is none. Optional tells that it may be left out, for
	// calibration to find it; Check refuses numbers that make no sense.
	Parameter string
	Optional  bool
	Check     func(v float64) error
	Short     string // one line
	Source    string // paper
	// Readers limits the form to norms whose output matrices read: it is a statement
	// about those matrices.
	Readers bool
	// Calibrate makes what finds the constants at a site; nil where there are none.
	Calibrate func(native *ops.Norm, f Form) Calibrator
	// Constants are the names of the constants that New needs.
	Constants []string
	// New makes the norm that takes the place of a native one. The result is the
	// native norm itself where the two are the same function.
	New func(native *ops.Norm, f Form, c Constants) Norm
}

// A Form is a kind with its parameter: what is written as rms-naive, prms:25 or
// dyt.
type Form struct {
	Kind      *Kind
	Parameter float64 // NaN: none was given
}

// String returns what Parse reads.
func (f Form) String() string {
	if f.Kind == nil {
		return ""
	}
	if math.IsNaN(f.Parameter) {
		return f.Kind.Name
	}
	return f.Kind.Name + ":" + strconv.FormatFloat(f.Parameter, 'g', -1, 64)
}

// Calibrated reports whether the form computes with constants that calibration
// finds.
func (f Form) Calibrated() bool {
	return f.Kind.Calibrate != nil && !(f.Kind.Optional && !math.IsNaN(f.Parameter))
}

// ParseForm reads a form, such as "fixed", "prms:25" or "dyt:0.5".
func ParseForm(text string) (Form, error) {
	name, parameter, given := strings.Cut(strings.TrimSpace(text), ":")
	i := slices.IndexFunc(kinds, func(k *Kind) bool { return strings.EqualFold(k.Name, name) })
	if i < 0 {
		return Form{}, fmt.Errorf("norm: no norm %q; there are %s", text, strings.Join(Names(), ", "))
	}
	f := Form{Kind: kinds[i], Parameter: math.NaN()}
	k := f.Kind
	switch {
	case given && k.Parameter == "":
		return Form{}, fmt.Errorf("norm: %s takes no number, %q has one", k.Name, text)
	case !given && k.Parameter != "" && !k.Optional:
		return Form{}, fmt.Errorf("norm: %s needs a number, as in %s:%s", k.Name, k.Name, k.Parameter)
	case !given:
		return f, nil
	}
	v, err := strconv.ParseFloat(parameter, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return Form{}, fmt.Errorf("norm: %q: %q is no number", text, parameter)
	}
	if k.Check != nil {
		if err := k.Check(v); err != nil {
			return Form{}, fmt.Errorf("norm: %q: %w", text, err)
		}
	}
	f.Parameter = v
	return f, nil
}

// Make makes the norm that takes the place of a native one. It is an error if a
// constant is missing, or is no finite number.
func (f Form) Make(native *ops.Norm, c Constants) (Norm, error) {
	if f.Calibrated() {
		for _, name := range f.Kind.Constants {
			v, ok := c[name]
			if !ok {
				return nil, fmt.Errorf("norm: %s needs the constant %s, which calibration finds", f, name)
			}
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("norm: the constant %s of %s is %v", name, f, v)
			}
		}
	}
	return f.Kind.New(native, f, c), nil
}

// Kinds returns all forms, in the order of their mention.
func Kinds() []*Kind { return slices.Clone(kinds) }

// Names returns how all forms are written, with their parameters.
func Names() (names []string) {
	for _, k := range kinds {
		name := k.Name
		switch {
		case k.Optional:
			name += "[:" + k.Parameter + "]"
		case k.Parameter != "":
			name += ":" + k.Parameter
		}
		names = append(names, name)
	}
	return names
}

// an affine form subtracts c, multiplies with scale, and applies gain and bias.
func affine(dst, x, gain, bias []float32, c, scale float64) {
	for i, v := range x {
		y := (float64(v) - c) * scale
		if gain != nil {
			y *= float64(gain[i])
		}
		if bias != nil {
			y += float64(bias[i])
		}
		dst[i] = float32(y)
	}
}

// moments returns the mean of x and its mean square, and the variance.
func moments(x []float32) (mean, square, variance float64) {
	d := float64(len(x))
	for _, v := range x {
		mean += float64(v) / d
	}
	for _, v := range x {
		variance += (float64(v) - mean) * (float64(v) - mean) / d
	}
	return mean, variance + mean*mean, variance
}
