package evaluate_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/freshet-ml/freshet/trainer/evaluate"
)

func ExampleRun() {
	var data strings.Builder
	data.WriteString("temperature,alarm\n")
	for i := range 2000 {
		alarm := "no"
		if i%100 > 80 {
			alarm = "yes"
		}
		fmt.Fprintf(&data, "%d,%s\n", i%100, alarm)
	}
	model, err := evaluate.ParseModel("hoeffding_tree")
	if err != nil {
		panic(err)
	}
	r, err := evaluate.Run(context.Background(), evaluate.Options{Model: "hoeffding_tree", Spec: model, Reader: strings.NewReader(data.String()), Target: "alarm"}, nil)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s, %d events, positive: %s, better than 95 %%: %t\n", r.Task, r.Events, r.Classes[1], r.Metrics.Value("accuracy") > 0.95)
	// Output:
	// binary, 2000 events, positive: yes, better than 95 %: true
}
