package bench

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s = %.9g, want %.9g", what, got, want)
	}
}

// The quantiles are those of the tables in every textbook; here from NIST's
// Engineering Statistics Handbook, 1.3.6.7.2.
func TestStudentT(t *testing.T) {
	for df, want := range map[int]float64{1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 10: 2.228, 29: 2.045, 30: 2.042, 100: 1.984} {
		near(t, "t(0.975)", studentT(0.95, df), want, 0.0005)
	}
	near(t, "t(0.995, 4)", studentT(0.99, 4), 4.604, 0.0005)
	near(t, "t(0.95, 7)", studentT(0.90, 7), 1.895, 0.0005)
}

func TestMeanAndSD(t *testing.T) {
	x := []float64{2, 4, 4, 4, 5, 5, 7, 9}
	near(t, "mean", Mean(x), 5, 0)
	near(t, "sd", SD(x), math.Sqrt(32.0/7), 1e-15)
	near(t, "sd of one", SD(x[:1]), 0, 0)
	// a mean that is large beside the spread
	near(t, "sd", SD([]float64{1e9 + 1, 1e9 + 2, 1e9 + 3}), 1, 1e-6)
}

func TestCompare(t *testing.T) {
	// Rounds that differ tenfold in speed, and a variant 2 % faster in each:
	// unpaired statistics would see nothing.
	base := []float64{10, 100, 30, 70, 50}
	faster := make([]float64, len(base))
	noise := []float64{1.001, 0.999, 1.0005, 0.9995, 1}
	for i := range base {
		faster[i] = 1.02 * base[i] * noise[i]
	}
	r := Compare(faster, base)
	near(t, "factor", r.Factor, 1.02, 1e-4)
	if r.Verdict() != "2.0 % faster" {
		t.Errorf("%v: %s", r, r.Verdict())
	}
	if r := Compare(base, faster); r.Verdict() != "2.0 % slower" {
		t.Errorf("%v: %s", r, r.Verdict())
	}
	if r := Compare(base, base); r != (Ratio{1, 1, 1}) || r.Verdict() != "no measurable change" {
		t.Errorf("%v: %s", r, r.Verdict())
	}

	// By hand: logs of e, e^2, e^3 have mean 2 and sd 1, so the interval is
	// 2 -+ 4.3027/sqrt(3).
	r = Compare([]float64{math.E, math.E * math.E, math.Exp(3)}, []float64{1, 1, 1})
	near(t, "log factor", math.Log(r.Factor), 2, 1e-14)
	near(t, "log low", math.Log(r.Low), 2-4.302652730/math.Sqrt(3), 1e-8)
	near(t, "log high", math.Log(r.High), 2+4.302652730/math.Sqrt(3), 1e-8)

	for _, c := range []struct {
		ratio Ratio
		want  string
	}{
		{Ratio{1.01, 0.98, 1.04}, "no measurable change"},
		{Ratio{1.01, 0.8, 1.3}, "undecided: more rounds needed"},
		{Ratio{1.5, 1.1, 2}, "50.0 % faster"},
		{Ratio{0.5, 0.3, 0.9}, "50.0 % slower"},
	} {
		if got := c.ratio.Verdict(); got != c.want {
			t.Errorf("%v: %q, want %q", c.ratio, got, c.want)
		}
	}

	one := Compare([]float64{3}, []float64{2})
	near(t, "factor", one.Factor, 1.5, 1e-15)
	if one.Verdict() != "one run: no verdict" || one.String() != "1.500" {
		t.Errorf("%v: %s", one, one.Verdict())
	}
}

// The interval must hold the true factor about as often as it says.
func TestCompareCoverage(t *testing.T) {
	const trials, rounds = 4000, 5
	r := newRandom(1)
	hit := 0
	for range trials {
		x, base := make([]float64, rounds), make([]float64, rounds)
		for i := range rounds {
			drift := math.Exp(0.3 * r.NormFloat64())
			base[i] = drift * math.Exp(0.02*r.NormFloat64())
			x[i] = 1.05 * drift * math.Exp(0.02*r.NormFloat64())
		}
		if c := Compare(x, base); c.Low <= 1.05 && 1.05 <= c.High {
			hit++
		}
	}
	// the deviation of a binomial proportion, four times
	near(t, "coverage", float64(hit)/trials, 0.95, 4*math.Sqrt(0.95*0.05/trials))
}
