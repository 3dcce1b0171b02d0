defmodule Demo.Router do
  @moduledoc """
  What each request does.

  An answer is a map: `:status`, `:headers` (pairs), `:body`, and `:then`, a
  function to be called once the answer is sent.
  """

  alias Demo.{Counter, Json}

  @help """
  GET  /health            GET  /nodes
  GET  /counter           POST /counter?by=N
  POST /print?n=N         POST /crash?how=halt|slogan|abort|exit|kill|oom|supervisor
  """

  @largest 1_000_000
  @ways "halt, slogan, abort, exit (with code, 0 to 255), kill, oom or supervisor"

  @allowed %{
    "/" => "GET, HEAD",
    "/health" => "GET, HEAD",
    "/nodes" => "GET, HEAD",
    "/counter" => "GET, HEAD, POST",
    "/print" => "POST",
    "/crash" => "POST"
  }

  @doc "Does what the request asks for; `query` is a map of texts."
  def handle("HEAD", path, query), do: handle("GET", path, query)
  def handle("GET", "/", _), do: %{answer(200, @help) | headers: [{"content-type", "text/plain"}]}
  def handle("GET", "/health", _), do: json(200, status: "ok", node: node())
  def handle("GET", "/nodes", _), do: json(200, node: node(), nodes: Enum.sort(Node.list()))
  def handle("GET", "/counter", _), do: json(200, value: Counter.value())

  def handle("POST", "/counter", query) do
    with {:ok, by} <- number(query, "by", 1), do: json(200, value: Counter.add(by))
  end

  def handle("POST", "/print", query) do
    with {:ok, n} <- number(query, "n", 10) do
      for i <- 1..n do
        IO.puts("stdout #{i}")
        IO.puts(:stderr, "stderr #{i}")
      end

      json(200, printed: n)
    end
  end

  def handle("POST", "/crash", query) do
    case crash(query["how"], query) do
      nil -> json(400, error: "how is one of " <> @ways)
      crash -> %{json(202, crashing: query["how"]) | then: crash}
    end
  end

  def handle(_, path, _) when is_map_key(@allowed, path) do
    answer = json(405, error: "this path does not do that")
    %{answer | headers: [{"allow", @allowed[path]} | answer.headers]}
  end

  def handle(_, _, _), do: json(404, error: "there is nothing here")

  @doc "An answer of these fields, that nothing follows."
  def json(status, fields), do: answer(status, Json.encode(fields))

  defp answer(status, body) do
    %{
      status: status,
      headers: [{"content-type", "application/json"}],
      body: body,
      then: fn -> :ok end
    }
  end

  # Each ends the VM in another way, as the diagnosis of a cluster sees it.
  defp crash("halt", _), do: fn -> System.halt(1) end
  defp crash("slogan", _), do: fn -> :erlang.halt(~c"demo crashed on purpose") end
  defp crash("abort", _), do: fn -> :erlang.halt(:abort) end
  # The kernel spares a PID 1 that kills itself: this needs an init above the VM.
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

  # Filled with ones, because pages that nobody wrote to take no memory.
  defp devour(kept), do: devour([:binary.copy(<<1>>, 16 * 1024 * 1024) | kept])

  defp number(query, key, default) do
    case Integer.parse(Map.get(query, key, Integer.to_string(default))) do
      {n, ""} when n in 1..@largest -> {:ok, n}
      _ -> json(400, error: "#{key} is a number from 1 to #{@largest}")
    end
  end
end
