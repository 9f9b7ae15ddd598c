package asm

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/normswap/normswap/quant"
)

func TestZZMicro(t *testing.T) {
	re := regexp.MustCompile("^(" + os.Getenv("MICRO") + ")$")
	defer Reset()
	for _, ty := range quant.Types() {
		if weightTypes[ty].Items == 0 || !re.MatchString(ty.String()) {
			continue
		}
		line := fmt.Sprintf("%-8v", ty)
		for _, tier := range Tiers() {
			if tier == "generic" {
				continue
			}
			Select(tier)
			for _, cols := range []int{768, 2048} {
				rows := 24 * 768 / cols
				o := &operands{r: rand.New(rand.NewPCG(1, 2))}
				groups := cols / 32
				stride := groups * Group / weightTypes[ty].Items * weightTypes[ty].Bytes
				w, c := o.blocks(ty, rows*stride), o.activations(groups)
				a := make([]Q8x8, Q8x8Count(groups))
				PackQ8x8(a, c)
				dst := make([]float32, rows)
				best := time.Hour
				const many = 20
				for range 2000 {
					s := time.Now()
					for range many {
						Gemv(ty, dst, w, stride, groups, a)
					}
					best = min(best, time.Since(s))
				}
				line += fmt.Sprintf("  %s/%d %6.2f ns %5.1f GB/s", tier, cols, float64(best.Nanoseconds())/float64(many*rows*cols)*256, float64(many*rows*stride)/float64(best.Nanoseconds()))
			}
		}
		fmt.Println(line)
	}
}
