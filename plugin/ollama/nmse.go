package ollama

// NMSE returns the normalised mean squared error sum (got-want)^2 / sum want^2.
// They are of equal length.
func NMSE(got, want []float32) float64 {
	if len(got) != len(want) {
		panic("ollama: NMSE of vectors that differ in length")
	}
	var wrong, all float64
	for i, w := range want {
		d := float64(got[i]) - float64(w)
		wrong += d * d
		all += float64(w) * float64(w)
	}
	return wrong / all
}
