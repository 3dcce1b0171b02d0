defmodule Designs.LastWriteWins do
  @moduledoc """
  Registers and counters that are replicated asynchronously: a write is
  acknowledged when this node has it, and the latest write wins everywhere.

  The faults: a read on another node gives an old value, and of the writes on
  both sides of a partition one side's are lost.
  """
  use GenServer

  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  def read(key), do: {:ok, GenServer.call(__MODULE__, {:read, key})}
  def write(key, value), do: GenServer.call(__MODULE__, {:update, key, fn _ -> value end})

  def add(by), do: GenServer.call(__MODULE__, {:update, :counter, &(&1 + by)})
  def value, do: GenServer.call(__MODULE__, {:read, :counter})

  @impl true
  def init(_) do
    :ok = :net_kernel.monitor_nodes(true)
    {:ok, %{}}
  end

  @impl true
  def handle_call({:read, key}, _from, entries), do: {:reply, current(entries, key), entries}

  def handle_call({:update, key, update}, _from, entries) do
    entry = {{System.os_time(), node()}, update.(current(entries, key))}
    GenServer.abcast(Node.list(), __MODULE__, {:merge, %{key => entry}})
    {:reply, {:ok, true}, Map.put(entries, key, entry)}
  end

  @impl true
  def handle_cast({:merge, theirs}, entries) do
    {:noreply, Map.merge(entries, theirs, fn _key, a, b -> max(a, b) end)}
  end

  @impl true
  def handle_info({:nodeup, node}, entries) do
    GenServer.abcast([node], __MODULE__, {:merge, entries})
    {:noreply, entries}
  end

  def handle_info({:nodedown, _node}, entries), do: {:noreply, entries}

  defp current(entries, key) do
    {_stamp, value} = Map.get(entries, key, {nil, 0})
    value
  end
end
