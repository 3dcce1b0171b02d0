defmodule Demo.Http do
  @moduledoc """
  A small HTTP/1.1 server: one request a connection, a task each.

  `:gen_tcp` parses the request line and headers (`packet: :http_bin`); what to
  answer is `Demo.Router`'s affair.
  """
  use Task, restart: :permanent

  @max_headers 100
  @max_body 64 * 1024
  @timeout 10_000

  @reasons %{
    200 => "OK",
    202 => "Accepted",
    400 => "Bad Request",
    404 => "Not Found",
    405 => "Method Not Allowed",
    413 => "Content Too Large",
    500 => "Internal Server Error"
  }

  @doc "Listens on `:port` of every address; the child is started once it does."
  def start_link(opts) do
    options = [:binary, packet: :http_bin, active: false, reuseaddr: true, backlog: 256]

    with {:ok, socket} <- :gen_tcp.listen(Keyword.fetch!(opts, :port), options),
         {:ok, pid} <- Task.start_link(__MODULE__, :accept, [socket]),
         :ok <- :gen_tcp.controlling_process(socket, pid),
         do: {:ok, pid}
  end

  @doc false
  def accept(socket) do
    case :gen_tcp.accept(socket) do
      {:ok, client} ->
        {:ok, pid} = Task.Supervisor.start_child(Demo.Connections, fn -> serve(client) end)
        # A client that is gone already is the task's to notice.
        _ = :gen_tcp.controlling_process(client, pid)
        accept(socket)

      {:error, reason} when reason in [:emfile, :enfile, :econnaborted] ->
        Process.sleep(100)
        accept(socket)

      {:error, reason} ->
        exit(reason)
    end
  end

  defp serve(client) do
    case request(client) do
      {:ok, method, path, query} ->
        {status, body, then} = Demo.Router.handle(method, path, query)
        respond(client, status, body, method)
        then.()

      {:error, status} ->
        respond(client, status, ~s({"error":"#{Map.fetch!(@reasons, status)}"}\n), "GET")

      :closed ->
        :gen_tcp.close(client)
    end
  end

  defp request(client) do
    case :gen_tcp.recv(client, 0, @timeout) do
      {:ok, {:http_request, method, {:abs_path, target}, _version}} ->
        with {:ok, length} <- headers(client, 0, @max_headers), :ok <- body(client, length) do
          uri = URI.parse(target)
          query(to_string(method), uri.path || "/", uri.query || "")
        end

      {:ok, _other} ->
        {:error, 400}

      {:error, _closed_or_slow} ->
        :closed
    end
  end

  defp query(method, path, query) do
    {:ok, method, path, URI.decode_query(query)}
  rescue
    ArgumentError -> {:error, 400}
  end

  defp headers(_client, _length, 0), do: {:error, 400}

  defp headers(client, length, left) do
    case :gen_tcp.recv(client, 0, @timeout) do
      {:ok, :http_eoh} ->
        {:ok, length}

      {:ok, {:http_header, _, :"Content-Length", _, value}} ->
        case Integer.parse(value) do
          {n, ""} when n > @max_body -> {:error, 413}
          {n, ""} when n >= 0 -> headers(client, n, left - 1)
          _ -> {:error, 400}
        end

      {:ok, {:http_header, _, _, _, _}} ->
        headers(client, length, left - 1)

      {:ok, _malformed} ->
        {:error, 400}

      {:error, _} ->
        :closed
    end
  end

  # No request needs its body; what was sent is read, or the close would reset
  # the connection before the answer is.
  defp body(_client, 0), do: :ok

  defp body(client, length) do
    :ok = :inet.setopts(client, packet: :raw)

    case :gen_tcp.recv(client, length, @timeout) do
      {:ok, _} -> :ok
      {:error, _} -> :closed
    end
  end

  defp respond(client, status, body, method) do
    type =
      if String.starts_with?(body, "{"), do: "application/json", else: "text/plain; charset=utf-8"

    head =
      "HTTP/1.1 #{status} #{Map.fetch!(@reasons, status)}\r\n" <>
        "content-type: #{type}\r\ncontent-length: #{byte_size(body)}\r\nconnection: close\r\n\r\n"

    _ = :gen_tcp.send(client, if(method == "HEAD", do: head, else: [head, body]))
    :gen_tcp.close(client)
  end
end
