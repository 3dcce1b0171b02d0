defmodule Demo.HttpTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureIO

  @port 4000

  # The application runs during tests, and this is its own server.
  defp request(text) do
    {:ok, socket} = :gen_tcp.connect(~c"127.0.0.1", @port, [:binary, active: false])
    :ok = :gen_tcp.send(socket, text)
    answer = read(socket, "")
    [head, body] = String.split(answer, "\r\n\r\n", parts: 2)
    ["HTTP/1.1 " <> status | _] = String.split(head, "\r\n")
    {status |> String.slice(0, 3) |> String.to_integer(), body}
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
    assert {200, ~s({"status":"ok","node":") <> _} = get("/health")
    assert {200, ~s({"node":"nonode@nohost","nodes":[]}\n)} = get("/nodes")
    assert {200, "GET  /health" <> _} = get("/")
  end

  test "the counter counts" do
    {200, before} = get("/counter")
    {200, later} = post("/counter?by=5")
    assert number(later) == number(before) + 5
    assert {400, _} = post("/counter?by=0")
    assert {400, _} = post("/counter?by=x")
  end

  test "it prints to both streams" do
    assert capture_io(:stderr, fn ->
             {200, body, _} = Demo.Router.handle("POST", "/print", %{"n" => "2"})
             assert body == ~s({"printed":2}\n)
           end) == "stderr 1\nstderr 2\n"
  end

  test "what it does not know it says" do
    assert {404, _} = get("/nothing")
    assert {405, _} = request("DELETE /counter HTTP/1.1\r\n\r\n")
    assert {405, _} = post("/health")
    assert {400, _} = post("/crash?how=gently")
    assert {400, _} = post("/crash?how=exit&code=x")
    assert {400, _} = request("what is this\r\n\r\n")
    assert {413, _} = request("POST /counter HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n")
  end

  test "HEAD has no body" do
    assert {200, ""} = request("HEAD /health HTTP/1.1\r\n\r\n")
  end

  defp number(body) do
    [digits] = Regex.run(~r/\d+/, body)
    String.to_integer(digits)
  end
end
