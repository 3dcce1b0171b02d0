defmodule Demo.Router do
  @moduledoc """
  What each request does: `{status, body, what to do once it is answered}`.
  """

  @help """
  GET  /health            GET  /nodes
  GET  /counter           POST /counter?by=N
  POST /print?n=N         POST /crash?how=halt|slogan|abort|exit|kill|oom|supervisor
  """

  @largest 1_000_000
  @ways "halt, slogan, abort, exit, kill, oom or supervisor"

  def handle("HEAD", path, query), do: handle("GET", path, query)
  def handle("GET", "/", _), do: {200, @help, &nothing/0}
  def handle("GET", "/health", _), do: ok(status: "ok", node: node())
  def handle("GET", "/nodes", _), do: ok(node: node(), nodes: Enum.sort(Node.list()))
  def handle("GET", "/counter", _), do: ok(value: Demo.Counter.value())

  def handle("POST", "/counter", query) do
    with_number(query, "by", 1, fn by -> ok(value: Demo.Counter.add(by)) end)
  end

  def handle("POST", "/print", query) do
    with_number(query, "n", 10, fn n ->
      for i <- 1..n do
        IO.puts("stdout #{i}")
        IO.puts(:stderr, "stderr #{i}")
      end

      ok(printed: n)
    end)
  end

  def handle("POST", "/crash", query) do
    case crash(Map.get(query, "how", "halt"), query) do
      nil -> {400, Demo.Json.encode(error: "how: " <> @ways), &nothing/0}
      then -> {202, Demo.Json.encode(crashing: true), then}
    end
  end

  def handle(_, path, _) when path in ["/", "/health", "/nodes", "/counter", "/print", "/crash"],
    do: {405, Demo.Json.encode(error: "this path does not do that"), &nothing/0}

  def handle(_, _, _), do: {404, Demo.Json.encode(error: "there is nothing here"), &nothing/0}

  # Each ends the VM in another way, as the diagnosis of a cluster sees it.
  defp crash("halt", _), do: fn -> System.halt(1) end
  defp crash("slogan", _), do: fn -> :erlang.halt(~c"demo crashed on purpose") end
  defp crash("abort", _), do: fn -> :erlang.halt(:abort) end
  defp crash("kill", _), do: fn -> System.cmd("kill", ["-9", System.pid()]) end
  defp crash("oom", _), do: fn -> devour([]) end
  defp crash("supervisor", _), do: fn -> Process.exit(Process.whereis(Demo.Supervisor), :kill) end

  defp crash("exit", query) do
    case Integer.parse(Map.get(query, "code", "3")) do
      {code, ""} when code in 0..255 -> fn -> System.halt(code) end
      _ -> nil
    end
  end

  defp crash(_, _), do: nil

  defp devour(kept), do: devour([:binary.copy(<<1>>, 16 * 1024 * 1024) | kept])

  defp with_number(query, key, default, fun) do
    case Integer.parse(Map.get(query, key, Integer.to_string(default))) do
      {n, ""} when n in 1..@largest -> fun.(n)
      _ -> {400, Demo.Json.encode(error: "#{key} is a number from 1 to #{@largest}"), &nothing/0}
    end
  end

  defp ok(fields), do: {200, Demo.Json.encode(fields), &nothing/0}
  defp nothing, do: :ok
end
