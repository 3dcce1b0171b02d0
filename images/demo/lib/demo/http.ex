defmodule Demo.Http do
  @moduledoc """
  A small HTTP/1.1 server: one request a connection, a task each.

  This process owns the listening socket, and an acceptor that is linked to it
  waits there. `:gen_tcp` parses the request line and the headers (`packet:
  :http_bin`); what to answer is `Demo.Router`'s affair.
  """
  use GenServer

  alias Demo.Router

  @max_line 16 * 1024
  @max_headers 100
  @max_body 64 * 1024
  @timeout 10_000
  @linger 1_000

  @reasons %{
    200 => "OK",
    202 => "Accepted",
    400 => "Bad Request",
    404 => "Not Found",
    405 => "Method Not Allowed",
    411 => "Length Required",
    413 => "Content Too Large"
  }

  @doc "Listens on `:port` of every address (0: any free one); `:name` is this module by default."
  def start_link(opts) do
    {name, opts} = Keyword.pop(opts, :name, __MODULE__)
    GenServer.start_link(__MODULE__, Keyword.fetch!(opts, :port), name: name)
  end

  @doc "The port that it listens on."
  def port(server \\ __MODULE__), do: GenServer.call(server, :port)

  @impl true
  def init(port) do
    # buffer: a line that does not fit in ends the connection, in the driver.
    options = [
      :binary,
      packet: :http_bin,
      active: false,
      reuseaddr: true,
      backlog: 256,
      buffer: @max_line
    ]

    case :gen_tcp.listen(port, options) do
      {:ok, socket} ->
        {:ok, _} = Task.start_link(fn -> accept(socket) end)
        {:ok, socket}

      {:error, reason} ->
        {:stop, {:listen, port, reason}}
    end
  end

  @impl true
  def handle_call(:port, _from, socket) do
    {:ok, port} = :inet.port(socket)
    {:reply, port, socket}
  end

  defp accept(socket) do
    case :gen_tcp.accept(socket) do
      {:ok, client} ->
        {:ok, pid} = Task.Supervisor.start_child(Demo.Connections, fn -> serve(client) end)
        # A client that is gone already is the task's to notice.
        _ = :gen_tcp.controlling_process(client, pid)
        accept(socket)

      # Out of descriptors: some will be closed.
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
        answer = Router.handle(method, path, query)
        send_answer(client, answer, method)
        :gen_tcp.close(client)
        answer.then.()

      {:error, status} ->
        send_answer(client, Router.json(status, error: @reasons[status]), "GET")
        linger(client)

      :closed ->
        :gen_tcp.close(client)
    end
  end

  defp request(client) do
    with {:ok, {:http_request, method, uri, _version}} <- line(client),
         {:ok, target} <- target(uri),
         {:ok, length} <- headers(client, nil, @max_headers),
         :ok <- body(client, length || 0) do
      [path | query] = String.split(target, "?", parts: 2)
      query(to_string(method), path, Enum.join(query))
    else
      {:ok, _no_request} -> {:error, 400}
      refused -> refused
    end
  end

  defp line(client) do
    case :gen_tcp.recv(client, 0, @timeout) do
      {:ok, {:http_error, _}} -> {:error, 400}
      {:ok, line} -> {:ok, line}
      {:error, _closed_or_slow} -> :closed
    end
  end

  # RFC 9112, section 3.2.2: a server takes the absolute form too.
  defp target({:abs_path, target}), do: {:ok, target}
  defp target({:absoluteURI, _scheme, _host, _port, target}), do: {:ok, target}
  defp target(_), do: {:error, 400}

  defp query(method, path, query) do
    {:ok, method, path, URI.decode_query(query)}
  rescue
    # A percent sign without its two digits.
    ArgumentError -> {:error, 400}
  end

  defp headers(_client, _length, 0), do: {:error, 400}

  defp headers(client, length, left) do
    case line(client) do
      {:ok, :http_eoh} ->
        {:ok, length}

      {:ok, {:http_header, _, :"Content-Length", _, value}} ->
        with {:ok, n} <- length(value, length), do: headers(client, n, left - 1)

      {:ok, {:http_header, _, :"Transfer-Encoding", _, _}} ->
        {:error, 411}

      {:ok, {:http_header, _, _, _, _}} ->
        headers(client, length, left - 1)

      refused ->
        refused
    end
  end

  # Digits alone, where Integer.parse takes a sign; and one length, not two
  # (RFC 9112, section 6.3).
  defp length(value, before) do
    n = if value =~ ~r/\A[0-9]{1,18}\z/, do: String.to_integer(value)

    cond do
      n == nil or (before != nil and before != n) -> {:error, 400}
      n > @max_body -> {:error, 413}
      true -> {:ok, n}
    end
  end

  # No request needs its body; what was sent is read, or the close would reset
  # the connection before the answer is.
  defp body(_client, 0), do: :ok

  defp body(client, length) do
    with :ok <- :inet.setopts(client, packet: :raw),
         {:ok, _} <- :gen_tcp.recv(client, length, @timeout) do
      :ok
    else
      {:error, _} -> :closed
    end
  end

  defp send_answer(client, %{status: status, headers: headers, body: body}, method) do
    own = [{"content-length", byte_size(body)}, {"connection", "close"}]
    lines = for {name, value} <- headers ++ own, do: "#{name}: #{value}\r\n"
    head = ["HTTP/1.1 #{status} #{@reasons[status]}\r\n", lines, "\r\n"]
    _ = :gen_tcp.send(client, if(method == "HEAD", do: head, else: [head, body]))
  end

  # After a refusal the client may still be sending: it is heard for a moment,
  # for the same reason that bodies are read.
  defp linger(client) do
    _ = :gen_tcp.shutdown(client, :write)
    _ = :inet.setopts(client, packet: :raw)
    hear(client, System.monotonic_time(:millisecond) + @linger)
    :gen_tcp.close(client)
  end

  defp hear(client, deadline) do
    left = deadline - System.monotonic_time(:millisecond)

    if left > 0 and match?({:ok, _}, :gen_tcp.recv(client, 0, left)),
      do: hear(client, deadline)
  end
end
