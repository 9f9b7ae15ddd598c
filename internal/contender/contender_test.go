package contender_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/contender"
)

// TestMain is also the program that the tests start.
func TestMain(m *testing.M) {
	switch os.Getenv("CONTENDER") {
	case "":
		os.Exit(m.Run())
	case "counts":
		n := 0.0
		err := contender.Serve([]float64{7}, func(line string) ([]float64, error) {
			if line == "fail" {
				return nil, errors.New("asked to fail")
			}
			n++
			return []float64{n, float64(len(line))}, nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, "before\n"+err.Error())
			os.Exit(1)
		}
	case "words":
		fmt.Println("not a number")
	}
}

func start(t *testing.T, kind string) (*contender.Contender, []float64, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CONTENDER", kind)
	return contender.Start(kind, 1, self)
}

func TestRounds(t *testing.T) {
	var all []*contender.Contender
	for range 2 {
		c, ready, err := start(t, "counts")
		if err != nil || len(ready) != 1 || ready[0] != 7 {
			t.Fatal(ready, err)
		}
		all = append(all, c)
	}
	var order []int
	results, err := contender.Rounds(all, 3, func(c *contender.Contender) ([]float64, error) {
		for i := range all {
			if all[i] == c {
				order = append(order, i)
			}
		}
		return c.Ask("line", 2)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(order, results); got != "[0 1 1 0 0 1] [[[1 4] [2 4] [3 4]] [[1 4] [2 4] [3 4]]]" {
		t.Error(got)
	}
	for _, c := range all {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestFailures(t *testing.T) {
	c, _, err := start(t, "counts")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Ask("line", 3); err == nil || !strings.Contains(err.Error(), "not 3 numbers") {
		t.Error(err)
	}
	if _, err := c.Ask("fail", 2); err == nil || err.Error() != "counts ended early: asked to fail" {
		t.Error(err)
	}
	if _, _, err := start(t, "words"); err == nil || !strings.Contains(err.Error(), `prints "not a number"`) {
		t.Error(err)
	}
}

func TestRatio(t *testing.T) {
	median, low, high := contender.Ratio([]float64{1, 4, 9, 8}, []float64{1, 2, 3, 2})
	if median != 2.5 || low != 1 || high != 4 {
		t.Error(median, low, high)
	}
}
