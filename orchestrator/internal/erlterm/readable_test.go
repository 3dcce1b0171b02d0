package erlterm

import (
	"strings"
	"testing"
)

// What OTP 27 prints (Elixir 1.18), cut where the VM cuts it.
func TestReadable(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{
			"a release without SECRET_KEY_BASE",
			`Runtime terminating during boot ({#{message=><<101,110,118,105,114,111,110,109,101,110,116,32,118,97,114,105,97,98,108,101,32,83,69,67,82,69,84,95,75,69,89,95,66,65,83,69,32,105,115,32,109,105,115,115,105,110,103,46,10,89,111,117,32,99,97,110,32,103,101,110,101,114,97,116,101,32,111,110,101,32,98,121,32,99,97,108,108,105,110,103,58,32,109,105,120,32,112,104,120,46,103,101,110,46,115,101,99,114,101,116,10>>,'__struct__'=>'Elixir.RuntimeError','__exception__'=>true},[{elixir_eval,'__FILE__',1,[{file,"/app/_build/release/releases/0.2.0/runtime.exs"},{line,10}]},{elixir,eval_external_handler,3,[{file,"src/elixir.erl"},{line,388},{error_info,#{module=>'Elixir.Exception'}}]},{'Elixir.Code',validated_e`,
			`Runtime terminating during boot (** (RuntimeError) environment variable SECRET_KEY_BASE is missing. You can generate one by calling: mix phx.gen.secret, in runtime.exs:10)`,
		},
		{
			"System.fetch_env!",
			`Runtime terminating during boot ({#{env=><<"POOL_SIZE">>,'__struct__'=>'Elixir.System.EnvError','__exception__'=>true},[{'Elixir.System','fetch_env!',1,[{file,"lib/system.ex"},{line,705}]},{elixir_eval,'__FILE__',1,[{file,"/app/_build/release/releases/0.2.0/runtime.exs"},{line,18}]}]})`,
			`Runtime terminating during boot (** (System.EnvError) could not fetch environment variable "POOL_SIZE" because it is not set, in runtime.exs:18)`,
		},
		{
			"an error of Erlang",
			`Runtime terminating during boot ({badarg,[{erlang,binary_to_integer,[<<"ten">>],[{error_info,#{module=>erl_erts_errors}}]},{elixir_eval,'__FILE__',1,[{file,"/app/_build/release/releases/0.2.0/runtime.exs"},{line,18}]}]})`,
			`Runtime terminating during boot (badarg in erlang:binary_to_integer(<<"ten">>), in runtime.exs:18)`,
		},
		{
			"another exception keeps its fields",
			`{#{key=>pool,message=>nil,term=>[{a,#{b=>1}}],'__struct__'=>'Elixir.KeyError','__exception__'=>true},x}`,
			`{** (KeyError) key=>pool,term=>[{a,#{b=>1}}],x}`,
		},
		{
			"a map in which a brace is text",
			`#{'__exception__'=>true,'__struct__'=>'Elixir.RuntimeError',message=><<"a } or \"b\"">>}`,
			`** (RuntimeError) a } or "b"`,
		},
		{
			"an exception in a map",
			`#{at=>1,reason=>#{message=><<"no">>,'__struct__'=>'Elixir.RuntimeError','__exception__'=>true}}`,
			`#{at=>1,reason=>** (RuntimeError) no}`,
		},
		{"text outside of ASCII", `<<195,164,32,10>>`, `<<"ä \n">>`},
		{"no text", `<<0,1,255>> <<300,10>>`, `<<0,1,255>> <<300,10>>`},
		{"no exception", `#{a=>1,b=>#{c=>2}}`, `#{a=>1,b=>#{c=>2}}`},
		{"cut off", `x #{message=><<"ab`, `x #{message=><<"ab`},
		{
			"a boot without a script",
			`Runtime terminating during boot ({undef,[{init,start_it,1,[]},{init,start_em,1,[]}]})`,
			`Runtime terminating during boot ({undef,[{init,start_it,1,[]},{init,start_em,1,[]}]})`,
		},
		{"a line of an application", "shop app@n1.shop.test listens on 4000", "shop app@n1.shop.test listens on 4000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Readable(c.line); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if again := Readable(Readable(c.line)); again != c.want {
				t.Errorf("a second time: %s", again)
			}
		})
	}
}

func FuzzReadable(f *testing.F) {
	f.Add(`#{message=><<101,110>>,'__struct__'=>'Elixir.RuntimeError','__exception__'=>true}`)
	f.Add(`Runtime terminating during boot ({badarg,[{a,b,[<<"x">>]},{c,d,1,[{file,"a.exs"},{line,3}]}]})`)
	f.Add(`#{'}`)
	f.Fuzz(func(t *testing.T, line string) {
		got := Readable(line)
		if strings.Count(got, "\n") > strings.Count(line, "\n") {
			t.Errorf("%q became several lines: %q", line, got)
		}
	})
}
