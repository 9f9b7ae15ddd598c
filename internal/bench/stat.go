// Package bench measures: tests in llama-bench's sense run in turn for each
// variant, statistics of what came out, profiles of operations, and kernels
// beside what the machine can do at best.
package bench

import (
	"fmt"
	"math"
)

// Mean returns the mean of x.
func Mean(x []float64) float64 {
	var s float64
	for _, v := range x {
		s += v
	}
	return s / float64(len(x))
}

// SD returns the standard deviation of the population that x is a sample of
// (division by n-1); 0 for a single value, as llama-bench has it.
func SD(x []float64) float64 {
	if len(x) < 2 {
		return 0
	}
	mean := Mean(x)
	var s float64
	for _, v := range x {
		s += (v - mean) * (v - mean)
	}
	return math.Sqrt(s / float64(len(x)-1))
}

// A Ratio compares two variants that ran in turn: how many times faster the
// one is than the other, and the interval that holds the true factor with
// 95 % confidence. A single pair has no interval: Low and High are NaN.
type Ratio struct{ Factor, Low, High float64 }

// Compare returns the ratio of x to base, values of the same rounds in the
// same order. It is the geometric mean of x[i]/base[i]; the interval is
// Student's of the mean of log(x[i]/base[i]), so what slows down a whole
// round cancels.
func Compare(x, base []float64) Ratio {
	if len(x) != len(base) || len(x) == 0 {
		panic(fmt.Sprintf("bench: %d values against %d", len(x), len(base)))
	}
	logs := make([]float64, len(x))
	for i := range logs {
		logs[i] = math.Log(x[i] / base[i])
	}
	n := float64(len(logs))
	mean, half := Mean(logs), math.NaN()
	if len(logs) > 1 {
		half = studentT(0.95, len(logs)-1) * SD(logs) / math.Sqrt(n)
	}
	return Ratio{math.Exp(mean), math.Exp(mean - half), math.Exp(mean + half)}
}

// wide is how many times its lower end an interval may be at its upper end
// and still show that there is no change to speak of.
const wide = 1.1

// Verdict says in words what the interval allows to say.
func (r Ratio) Verdict() string {
	switch percent := 100 * math.Abs(r.Factor-1); {
	case math.IsNaN(r.Low):
		return "one run: no verdict"
	case r.Low > 1:
		return fmt.Sprintf("%.1f %% faster", percent)
	case r.High < 1:
		return fmt.Sprintf("%.1f %% slower", percent)
	case r.High > wide*r.Low:
		return "undecided: more rounds needed"
	}
	return "no measurable change"
}

// String returns the factor and its interval.
func (r Ratio) String() string {
	if math.IsNaN(r.Low) {
		return fmt.Sprintf("%.3f", r.Factor)
	}
	return fmt.Sprintf("%.3f (%.3f to %.3f)", r.Factor, r.Low, r.High)
}

// studentT returns the t with P(|T| < t) = level, for Student's distribution
// with df degrees of freedom.
func studentT(level float64, df int) float64 {
	low, high := 0.0, 1.0
	for studentLevel(high, df) < level {
		high *= 2
	}
	for range 100 {
		if mid := (low + high) / 2; studentLevel(mid, df) < level {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// studentLevel returns P(|T| < t) by the finite series for whole degrees of
// freedom (Abramowitz and Stegun, 26.7.3 and 26.7.4).
func studentLevel(t float64, df int) float64 {
	angle := math.Atan(t / math.Sqrt(float64(df)))
	sin, cos := math.Sincos(angle)
	term, first := 1.0, 2
	if df%2 == 1 {
		term, first = cos, 3
	}
	sum := 0.0
	for k := first; k <= df; k += 2 {
		sum += term
		term *= cos * cos * float64(k-1) / float64(k)
	}
	if df%2 == 1 {
		return 2 / math.Pi * (angle + sin*sum)
	}
	return sin * sum
}
