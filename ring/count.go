package ring

// perWeight gives n labels per unit of weight, whoever else is there.
func perWeight(n int) func([]Server) []int {
	return func(servers []Server) []int {
		labels := make([]int, len(servers))
		for i, s := range servers {
			labels[i] = n * s.Weight
		}
		return labels
	}
}
