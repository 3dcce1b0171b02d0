defmodule Demo.HttpTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureIO

  setup_all do
    start_supervised!({Demo.Http, name: __MODULE__, port: 0})
    :ok
  end

  # What the server at the other end of a real socket answers.
  defp request(text) do
    port = Demo.Http.port(__MODULE__)
    {:ok, socket} = :gen_tcp.connect(~c"127.0.0.1", port, [:binary, active: false])
    :ok = :gen_tcp.send(socket, text)
    [head, body] = socket |> read("") |> String.split("\r\n\r\n", parts: 2)
    ["HTTP/1.1 " <> status | headers] = String.split(head, "\r\n")
    {status |> String.slice(0, 3) |> String.to_integer(), body, headers}
  end

  defp read(socket, so_far) do
    case :gen_tcp.recv(socket, 0, 5_000) do
      {:ok, more} -> read(socket, so_far <> more)
      {:error, :closed} -> so_far
    end
  end

  defp get(path), do: request("GET #{path} HTTP/1.1\r\nhost: x\r\n\r\n")
  defp post(path), do: request("POST #{path} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")

  test "it answers" do
    node = node()
    health = ~s({"status":"ok","node":"#{node}"}\n)
    peers = Enum.map_join(Enum.sort(Node.list()), ",", &~s("#{&1}"))
    nodes = ~s({"node":"#{node}","nodes":[#{peers}]}\n)
    assert {200, ^health, headers} = get("/health")
    assert "connection: close" in headers
    assert "content-type: application/json" in headers
    assert {200, ^nodes, _} = get("/nodes")
    assert {200, "GET  /health" <> _, headers} = get("/")
    assert "content-type: text/plain" in headers
  end

  test "the counter counts" do
    {200, before, _} = get("/counter")
    {200, later, _} = post("/counter?by=5")
    assert number(later) == number(before) + 5
    {200, last, _} = post("/counter")
    assert number(last) == number(before) + 6
  end

  test "it counts from 1 to a million, and nothing else" do
    for by <- ["0", "-1", "1000001", "x", "1x", "", "%2B", "%zz"] do
      assert {400, _, _} = post("/counter?by=#{by}")
    end
  end

  test "it prints to both streams" do
    stdout =
      capture_io(fn ->
        assert capture_io(:stderr, fn ->
                 assert %{status: 200, body: ~s({"printed":2}\n)} =
                          Demo.Router.handle("POST", "/print", %{"n" => "2"})
               end) == "stderr 1\nstderr 2\n"
      end)

    assert stdout == "stdout 1\nstdout 2\n"
  end

  test "a crash is announced, and follows the answer" do
    for how <- ~w(halt slogan abort exit kill oom supervisor) do
      assert %{status: 202, then: then} = Demo.Router.handle("POST", "/crash", %{"how" => how})
      assert is_function(then, 0)
    end

    assert {400, _, _} = post("/crash")
    assert {400, _, _} = post("/crash?how=gently")
    assert {400, _, _} = post("/crash?how=exit&code=256")
    assert {400, _, _} = post("/crash?how=exit&code=x")
  end

  test "what it does not know it says" do
    assert {404, _, _} = get("/nothing")
    assert {405, _, headers} = request("DELETE /counter HTTP/1.1\r\n\r\n")
    assert "allow: GET, HEAD, POST" in headers
    assert {405, _, _} = post("/health")
    assert {405, _, _} = get("/crash?how=halt")
  end

  test "what it cannot read it refuses" do
    assert {400, _, _} = request("what is this\r\n\r\n")
    assert {400, _, _} = request("OPTIONS * HTTP/1.1\r\n\r\n")
    assert {400, _, _} = request("GET / HTTP/1.1\r\nno colon\r\n\r\n")
    assert {400, _, _} = request(["GET / HTTP/1.1\r\n", List.duplicate("a: b\r\n", 200), "\r\n"])
    assert {400, _, _} = request("POST /counter HTTP/1.1\r\ncontent-length: +2\r\n\r\n{}")

    assert {400, _, _} =
             request("POST / HTTP/1.1\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}")

    assert {411, _, _} =
             request("POST /counter HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")
  end

  test "a body that is too large is refused, though it is being sent" do
    body = String.duplicate("x", 5_000_000)
    assert {413, _, _} = request("POST / HTTP/1.1\r\ncontent-length: 5000000\r\n\r\n" <> body)
  end

  test "it takes long lines and absolute targets" do
    assert {404, _, _} = get("/" <> String.duplicate("a", 8_000))
    assert {200, _, _} = get("http://x.test:80/health")
  end

  test "HEAD has no body, but its length" do
    assert {200, "", headers} = request("HEAD / HTTP/1.1\r\n\r\n")
    {200, body, _} = get("/")
    assert "content-length: #{byte_size(body)}" in headers
  end

  defp number(body) do
    [digits] = Regex.run(~r/\d+/, body)
    String.to_integer(digits)
  end
end
