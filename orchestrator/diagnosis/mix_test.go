package diagnosis

import (
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestMixFindings(t *testing.T) {
	built := func(text string) *Evidence {
		return &Evidence{Spec: orchestrator.Spec{Name: "demo", Source: "."}, Absent: true, Kind: KindBuild, Error: "build /p: the command \"mix compile\" returned the exit code 1\n  " + text}
	}
	mismatch := func(line string) *Evidence {
		return &Evidence{Spec: orchestrator.Spec{Name: "demo", Source: "."}, Nodes: []Node{{Name: "n1", Exit: exit("boot", 1), Lines: stderr(line)}}}
	}
	tests := []struct {
		name  string
		given *Evidence
		code  orchestrator.FindingCode
		says  string
	}{
		{
			"config.exs, Elixir 1.18",
			built("** (System.EnvError) could not fetch environment variable \"BILLING_API_KEY\" because it is not set\n      (elixir 1.18.3) lib/system.ex:706: System.fetch_env!/1\n      /app/config/config.exs:2: (file)\n      (stdlib 6.2) erl_eval.erl:919: :erl_eval.do_apply/7"),
			"build-env-missing", "the build needs the environment variable BILLING_API_KEY, which is not set: /app/config/config.exs:2 reads it",
		},
		{
			"env.sh.eex of a release",
			built("** (System.EnvError) could not fetch environment variable \"REGION\" because it is not set\n      (elixir 1.14.0) lib/system.ex:706: System.fetch_env!/1\n      rel/env.sh.eex:3: (file)"),
			"build-env-missing", "REGION, which is not set: rel/env.sh.eex:3 reads it",
		},
		{
			"mix.exs",
			built("x (in mix.exs)\nmix.exs:3 reads the environment variable KEY, which is not set while the image is built"),
			"build-env-missing", "KEY, which is not set: mix.exs:3 reads it",
		},
		{
			"a value that was compiled in", mismatch("ERROR! the application :billing has a different value set for key :currency during runtime compared to compile time. Since this application environment entry was marked as compile time, this difference can lead to different behaviour than expected:"),
			"compile-env-mismatch", "n1 starts with another value of currency of :billing than its image was compiled with",
		},
		{
			"a value inside of one", mismatch("ERROR! the application :billing has a different value set for path [:a, :b] inside key :opts during runtime compared to compile time."),
			"compile-env-mismatch", "another value of opts of :billing",
		},
		{"git", built("mix.exs:4 runs git, and the folder is in no git repository"), "git-missing", "mix.exs:4 asks git"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found := Diagnose(*tt.given)
			if len(found) == 0 || found[0].Code != tt.code || !strings.Contains(found[0].Problem, tt.says) {
				t.Errorf("found %+v, want %s: %s", found, tt.code, tt.says)
			}
		})
	}
}
