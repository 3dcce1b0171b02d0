defmodule Grove do
  @moduledoc """
  One node takes its time: until each of the others came to it in vain. These crash until
  it answers: one asks a process of it, the other its TCP port.
  """
  use Application

  def start(_type, _args) do
    seed = System.fetch_env!("SEED")

    case System.fetch_env!("ROLE") do
      "seed" ->
        :ok = :net_kernel.monitor_nodes(true)
        wait_until_left(2, MapSet.new())
        {:ok, _} = :gen_tcp.listen(5999, reuseaddr: true)

      "member" ->
        Node.connect(:"app@#{seed}")
        :ok = GenServer.call({Grove.Seed, :"app@#{seed}"}, {:join, node()}, 2_000)

      "client" ->
        Node.connect(:"app@#{seed}")

        case :gen_tcp.connect(String.to_charlist(seed), 5999, [:binary], 1_000) do
          {:ok, socket} -> :gen_tcp.close(socket)
          {:error, why} -> raise "tcp connect (#{seed}:5999): #{:inet.format_error(why)} - #{inspect(why)}"
        end
    end

    Supervisor.start_link([Grove.Seed], strategy: :one_for_one)
  end

  defp wait_until_left(count, left) do
    if MapSet.size(left) < count do
      receive do
        {:nodedown, n} -> wait_until_left(count, MapSet.put(left, n))
        {:nodeup, _} -> wait_until_left(count, left)
      end
    end
  end
end

defmodule Grove.Seed do
  use GenServer
  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)
  def members, do: GenServer.call(__MODULE__, :members)
  @impl true
  def init(list), do: {:ok, list}
  @impl true
  def handle_call({:join, n}, _from, list), do: {:reply, :ok, Enum.uniq([n | list])}
  def handle_call(:members, _from, list), do: {:reply, list, list}
end
