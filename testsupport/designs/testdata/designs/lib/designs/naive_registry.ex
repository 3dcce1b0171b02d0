defmodule Designs.NaiveRegistry do
  @moduledoc """
  One holder for each name, without consensus.

  Each node has a table of all names, and tells the others what it adds. Nodes
  that connect exchange their tables. The fault: a node keeps its own entry when
  another node has one for the same name, and nothing ends either holder.
  """
  use GenServer

  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "Starts a holder of a name, unless there is one."
  def claim(name), do: GenServer.call(__MODULE__, {:claim, name})

  def holders, do: Designs.Holder.alive(__MODULE__)

  @impl true
  def init(_) do
    :ok = :net_kernel.monitor_nodes(true)
    {:ok, %{}}
  end

  @impl true
  def handle_call({:claim, name}, _from, table) do
    case table do
      %{^name => pid} ->
        {:reply, {:ok, pid}, table}

      _ ->
        pid = Designs.Holder.start(__MODULE__, name)
        GenServer.abcast(Node.list(), __MODULE__, {:table, %{name => pid}})
        {:reply, {:ok, pid}, Map.put(table, name, pid)}
    end
  end

  @impl true
  def handle_cast({:table, theirs}, table), do: {:noreply, Map.merge(theirs, table)}

  @impl true
  def handle_info({:nodeup, node}, table) do
    GenServer.abcast([node], __MODULE__, {:table, table})
    {:noreply, table}
  end

  def handle_info({:nodedown, node}, table) do
    {:noreply, Map.reject(table, fn {_name, pid} -> node(pid) == node end)}
  end
end
