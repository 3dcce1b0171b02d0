defmodule Single.Application do
  @moduledoc "With `$SINGLE_BUG`, nobody ends a second holder."
  use Application

  @impl true
  def start(_type, _args) do
    bug = System.get_env("SINGLE_BUG") != nil
    Supervisor.start_link([{Single, bug}], strategy: :one_for_one)
  end
end

defmodule Single do
  @moduledoc """
  One process for the whole cluster, the holder, on a node that all others know.

  Each node looks around five times a second. If no node that it is connected to has the
  holder, the lowest of them starts it. That is right as long as nodes come and go. A
  partition makes a holder on each side: after the heal, all but the lowest must end.
  """
  use GenServer

  @every 200
  @patience 1_000

  def start_link(bug), do: GenServer.start_link(__MODULE__, bug, name: __MODULE__)

  @doc "The holder that this node has, by its name."
  def names, do: for(pid <- [Process.whereis(Single.Holder)], pid, into: %{}, do: {:single, pid})

  @doc "The holder as this node knows it, or nil."
  def leader, do: Enum.find([holder(node()) | Enum.map(Node.list(), &holder/1)], &is_pid/1)

  @impl true
  def init(bug), do: {:ok, %{bug: bug, met: false}, @every}

  @impl true
  def handle_info(:timeout, state) do
    nodes = [node() | Node.list()]
    # A node that boots is alone until the others have connected to it.
    state = %{state | met: state.met or length(nodes) > 1}
    if state.met, do: decide(nodes, Map.new(nodes, &{&1, holder(&1)}), state.bug)
    {:noreply, state, @every}
  end

  defp decide(nodes, known, bug) do
    holders = for {name, pid} <- known, is_pid(pid), do: name

    cond do
      :unknown in Map.values(known) -> :ok
      holders == [] and node() == Enum.min(nodes) -> Agent.start_link(&node/0, name: Single.Holder)
      node() in holders and node() != Enum.min(holders) and not bug -> Agent.stop(Single.Holder)
      true -> :ok
    end
  end

  defp holder(node) do
    case :rpc.call(node, Process, :whereis, [Single.Holder], @patience) do
      {:badrpc, _} -> :unknown
      found -> found
    end
  end
end
