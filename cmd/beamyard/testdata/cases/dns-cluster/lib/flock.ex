defmodule Flock do
  use Application

  # FLOCK_BY chooses whose way of asking is played.
  def start(_type, _args) do
    query = System.fetch_env!("DNS_CLUSTER_QUERY")
    IO.puts("#{node()} asks for #{query}")

    child =
      case System.get_env("FLOCK_BY", "dns_cluster") do
        "dns_cluster" -> {Flock.DNSCluster, query}
        "dns_poll" -> {Flock.DNSPoll, query}
      end

    Supervisor.start_link([child], strategy: :one_for_one)
  end
end

defmodule Flock.DNSCluster do
  # What dns_cluster 0.1 and 0.2 do: every A and AAAA record, basename@address, but for
  # those that are connected.
  use GenServer
  def start_link(query), do: GenServer.start_link(__MODULE__, query)

  @impl true
  def init(query), do: {:ok, query, {:continue, :discover}}

  @impl true
  def handle_continue(:discover, query), do: discover(query)

  @impl true
  def handle_info(:discover, query), do: discover(query)

  defp discover(query) do
    [basename, _] = node() |> to_string() |> String.split("@")

    for ip <- lookup(query, :a) ++ lookup(query, :aaaa),
        name = "#{basename}@#{:inet.ntoa(ip)}",
        name not in Enum.map([node() | Node.list()], &to_string/1) do
      Node.connect(:"#{name}")
    end

    Process.send_after(self(), :discover, 500)
    {:noreply, query}
  end

  defp lookup(query, type) do
    case :inet_res.getbyname(~c"#{query}", type) do
      {:ok, {:hostent, _name, _aliases, _type, _length, addresses}} -> addresses
      {:error, _} -> []
    end
  end
end

defmodule Flock.DNSPoll do
  # What libcluster's Cluster.Strategy.DNSPoll does: lookup_all_ips, then
  # net_kernel:connect_node/1 of each that is not connected.
  use GenServer
  def start_link(query), do: GenServer.start_link(__MODULE__, query)

  @impl true
  def init(query) do
    send(self(), :poll)
    {:ok, query}
  end

  @impl true
  def handle_info(:poll, query) do
    me = node()

    query
    |> String.to_charlist()
    |> lookup_all_ips()
    |> Enum.map(fn ip -> :"app@#{:inet_parse.ntoa(ip)}" end)
    |> Enum.reject(fn n -> n == me or n in Node.list() end)
    |> Enum.each(&:net_kernel.connect_node/1)

    Process.send_after(self(), :poll, 500)
    {:noreply, query}
  end

  defp lookup_all_ips(q) do
    Enum.flat_map([:a, :aaaa], fn t -> :inet_res.lookup(q, :in, t) end)
  end
end
