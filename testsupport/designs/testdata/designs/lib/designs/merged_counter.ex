defmodule Designs.MergedCounter do
  @moduledoc """
  A counter that only grows, as a CRDT: each node counts for itself, and nodes
  merge by the larger count of each. Nodes that connect exchange their counts.
  """
  use GenServer

  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  def add(by), do: GenServer.call(__MODULE__, {:add, by})
  def value, do: GenServer.call(__MODULE__, :value)

  @impl true
  def init(_) do
    :ok = :net_kernel.monitor_nodes(true)
    {:ok, %{}}
  end

  @impl true
  def handle_call({:add, by}, _from, counts) do
    counts = Map.update(counts, node(), by, &(&1 + by))
    GenServer.abcast(Node.list(), __MODULE__, {:merge, counts})
    {:reply, {:ok, true}, counts}
  end

  def handle_call(:value, _from, counts), do: {:reply, Enum.sum(Map.values(counts)), counts}

  @impl true
  def handle_cast({:merge, theirs}, counts) do
    {:noreply, Map.merge(counts, theirs, fn _node, a, b -> max(a, b) end)}
  end

  @impl true
  def handle_info({:nodeup, node}, counts) do
    GenServer.abcast([node], __MODULE__, {:merge, counts})
    {:noreply, counts}
  end

  def handle_info({:nodedown, _node}, counts), do: {:noreply, counts}
end
