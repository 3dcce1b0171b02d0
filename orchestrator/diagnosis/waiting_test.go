package diagnosis

import (
	"os"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

// What libraries say when a boot fails, each with what is waited for; "" where time
// cures nothing.
func TestABootSaysWhatItWaitsFor(t *testing.T) {
	exit := func(because string) string {
		return "stderr | ** (Mix) Could not start application shop: Shop.Application.start(:normal, []) returned an error: shutdown: failed to start child: Shop.Repo\n" +
			"stderr |     ** (EXIT) an exception was raised:\n" +
			"stderr |         ** " + because + "\n" +
			"stderr |             (shop 0.1.0) lib/shop.ex:10: Shop.start/2\n"
	}
	for _, tt := range []struct{ name, said, want string }{
		{"db_connection", exit("(DBConnection.ConnectionError) tcp connect (db:5432): connection refused - :econnrefused"), "db:5432: connection refused"},
		{"db_connection, no name", exit("(DBConnection.ConnectionError) tcp connect (db.internal:5432): non-existing domain - :nxdomain"), "db.internal:5432: no such host"},
		{"db_connection, a socket that ends", exit("(DBConnection.ConnectionError) tcp recv: closed"), "connection closed"},
		{"db_connection, TLS", exit("(DBConnection.ConnectionError) ssl connect (db:5432): closed"), "db:5432: connection closed"},
		{"db_connection, no route", exit("(DBConnection.ConnectionError) tcp connect (10.0.0.7:5432): no route to host - :ehostunreach"), "10.0.0.7:5432: no route to host"},
		{"db_connection, a pool", exit("(DBConnection.ConnectionError) connection not available and request was dropped from queue after 2970ms. This means requests are coming in"), "no connection in time"},
		{"postgrex, starting", exit("(Postgrex.Error) FATAL 57P03 (cannot_connect_now) the database system is starting up"), "it is starting up"},
		{"postgrex, full", exit("(Postgrex.Error) FATAL 53300 (too_many_connections) sorry, too many clients already"), "it has too many connections"},
		{"postgrex, a password", exit(`(Postgrex.Error) FATAL 28P01 (invalid_password) password authentication failed for user "postgres"`), ""},
		{"redix", exit("(Redix.ConnectionError) failed to connect to Redis (redis:6379): connection refused"), "redis:6379: connection refused"},
		{"redis, loading", exit("(Redix.Error) LOADING Redis is loading the dataset in memory"), "it is starting up"},
		{"amqp", exit("(MatchError) no match of right hand side value: {:error, :econnrefused}"), "connection refused"},
		{"mint", exit("(Mint.TransportError) connection refused"), "connection refused"},
		{"req", exit("(Req.TransportError) timeout"), "timeout"},
		{"finch", exit("(MatchError) no match of right hand side value: {:error, %Mint.TransportError{reason: :timeout}}"), "timeout"},
		{"httpc", exit("(MatchError) no match of right hand side value: {:error, {:failed_connect, [{:to_address, {~c\"auth\", 4001}}, {:inet, [:inet], :econnrefused}]}}"), "auth:4001: connection refused"},
		{"httpc, OTP 25", exit("(MatchError) no match of right hand side value: {:error, {:failed_connect, [{:to_address, {'auth', 4001}}, {:inet, [:inet], :econnrefused}]}}"), "auth:4001: connection refused"},
		{"a URL with a password", exit("(RuntimeError) cannot reach postgres://user:1234@db:5432/shop: connection refused"), "db:5432: connection refused"},
		{"a host with a port of IPv6", exit("(RuntimeError) tcp connect ([fd00::7]:5432): connection refused - :econnrefused"), "[fd00::7]:5432: connection refused"},
		{"an address as a tuple", exit("(MatchError) no match of right hand side value: {:error, {{10, 1, 2, 3}, 5432, :econnrefused}}"), "10.1.2.3:5432: connection refused"},
		{"an Erlang release", `stderr | {"Kernel pid terminated",application_controller,"{application_start_failure,shop,{bad_return,{{shop_app,start,[normal,[]]},{'EXIT',{{badmatch,{error,econnrefused}},[{shop_app,start,2,[{file,\"src/shop_app.erl\"},{line,9}]}]}}}}}"}`, "connection refused"},
		{"a node", exit(`(exit) exited in: GenServer.call({Shop.Seed, :"app@n1.shop.test"}, :join, 5000)`) + "stderr |         ** (EXIT) no connection to app@n1.shop.test", "app@n1.shop.test: no connection"},
		{"a process on a node", "stderr | ** (Mix) Could not start application shop: exited in: Shop.start(:normal, [])\n" +
			`stderr |     ** (EXIT) exited in: GenServer.call({Shop.Seed, :"app@n1.shop.test"}, :join, 5000)` + "\n" +
			"stderr |         ** (EXIT) no process: the process is not alive or there's no process currently associated with the given name", "app@n1.shop.test: no such process there"},
		{"a process on a node, in Erlang", "stderr | Kernel pid terminated (application_controller) ({application_start_failure,shop,{bad_return,{{shop_app,start,[normal,[]]},{'EXIT',{noproc,{gen_server,call,[{shop_seed,'app@n1.shop.test'},join]}}}}}})", "app@n1.shop.test: no such process there"},
		{"a process of its own", "stderr | ** (Mix) Could not start application shop: exited in: Shop.start(:normal, [])\n" +
			"stderr |     ** (EXIT) exited in: GenServer.call(Shop.Seed, :join, 5000)\n" +
			"stderr |         ** (EXIT) no process: the process is not alive", ""},
		{"a process of its own, by its full name", "stderr | ** (Mix) Could not start application shop: exited in: Shop.start(:normal, [])\n" +
			`stderr |     ** (EXIT) exited in: GenServer.call({Shop.Seed, :"app@n2.shop.test"}, :join, 5000)` + "\n" +
			"stderr |         ** (EXIT) no process: the process is not alive", ""},
		{"a node that is slow", "stderr | ** (Mix) Could not start application shop: exited in: Shop.start(:normal, [])\n" +
			`stderr |     ** (EXIT) exited in: GenServer.call({Shop.Seed, :"app@n1.shop.test"}, :join, 100)` + "\n" +
			"stderr |         ** (EXIT) time out", "app@n1.shop.test: timeout"},
		{"erpc", exit("(ErlangError) Erlang error: {:erpc, :noconnection}"), "no connection"},
		{"rpc", exit("(MatchError) no match of right hand side value: {:badrpc, :nodedown}"), "no connection"},
		{"mnesia", exit("(MatchError) no match of right hand side value: {:timeout, [:orders, Shop.Item]}"), "timeout: tables that other nodes have"},
		{"mnesia, a node", exit(`(MatchError) no match of right hand side value: {:aborted, {:node_not_running, :"app@n1.shop.test"}}`), "app@n1.shop.test: no connection"},
		{"rabbitmq", "stdout | BOOT FAILED\nstdout | ===========\nstdout | \nstdout |    {error,{timeout_waiting_for_tables,['rabbit@r2.mq.test','rabbit@r1.mq.test'],[rabbit_durable_queue]}}", "rabbit@r2.mq.test: timeout: tables that other nodes have"},
		{"a script", "stderr | db:5432 - no response\nstderr | could not translate host name: Name or service not known", "db:5432: no such host"},
		{"a missing module", exit("(UndefinedFunctionError) function :nosuch.function/0 is undefined (module :nosuch is not available)"), ""},
		{"a bad value", exit("(ArgumentError) timeout: must be a positive integer, got: -1"), ""},
		{"a missing variable", exit(`(System.EnvError) could not fetch environment variable "DATABASE_URL" because it is not set`), ""},
		{"EPMD", "stderr | Protocol 'inet_tcp': register/listen error: econnrefused\nstderr | Kernel pid terminated (application_controller) ({application_start_failure,kernel,econnrefused})", ""},
		{"something else that is tried again meanwhile", "stdout | 12:00:00.000 [error] Postgrex.Protocol (#PID<0.1.0>) failed to connect: ** (DBConnection.ConnectionError) tcp connect (db:5432): connection refused - :econnrefused\n" +
			exit("(KeyError) key :port not found in: %{}"), ""},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var lines []orchestrator.Line
			for line := range strings.Lines(tt.said) {
				stream, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " | ")
				lines = append(lines, orchestrator.Line{Stream: orchestrator.Stream(stream), Text: text})
			}
			got := ""
			if w, ok := WaitsFor(lines, "app@n2.shop.test"); ok {
				got = w.String()
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestWhatIsLocal(t *testing.T) {
	for at, want := range map[string]bool{
		"localhost:5432": true, "127.0.0.1:5432": true, "[::1]:5432": true, "::1:5432": true, "127.0.1.1:80": true, "0.0.0.0:80": true,
		"db:5432": false, "10.0.0.7:5432": false, "localhost.example:80": false, "": false,
	} {
		if got := (Wait{For: at, Kind: WaitService}).Local(); got != want {
			t.Errorf("%s: %v", at, got)
		}
	}
}

// Recorded with mix run (mix) and releases whose start/2 (release) or child (child)
// fails, of OTP 25 (Elixir 1.14) and 27 (Elixir 1.18).
func TestRecordedBootsSayWhatTheyWaitFor(t *testing.T) {
	want := map[string]string{
		"refused": "db:5432: connection refused", "match": "connection refused", "nxdomain": "no such host", "timeout": "timeout", "closed": "connection closed",
		"call": "app@n9.rec.test: no connection", "noproc": "", "noproc-own": "", "erpc": "no connection", "httpc": "localhost:4001: connection refused",
		"mnesia": "timeout: tables that other nodes have", "callout": "timeout", "undef": "", "value": "",
	}
	for _, otp := range []string{"otp25", "otp27"} {
		if otp == "otp27" {
			want["httpc"] = "" // there it lacks a module, public_key's
		}
		data, err := os.ReadFile("testdata/waiting/" + otp + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		records := strings.Split(string(data), "=== ")[1:]
		if len(records) != 3*len(want) {
			t.Errorf("%s has %d records", otp, len(records))
		}
		for _, record := range records {
			title, said, _ := strings.Cut(record, "\n")
			t.Run(otp+"/"+title, func(t *testing.T) {
				var lines []orchestrator.Line
				for line := range strings.Lines(said) {
					stream, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " |")
					lines = append(lines, orchestrator.Line{Stream: orchestrator.Stream(stream), Text: strings.TrimPrefix(text, " ")})
				}
				got := ""
				if w, ok := WaitsFor(lines, "app@n1.rec.test"); ok {
					got = w.String()
				}
				if what, _, _ := strings.Cut(title, " "); got != want[what] {
					t.Errorf("%q, want %q\n%s", got, want[what], said)
				}
			})
		}
	}
}
