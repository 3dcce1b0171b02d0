defmodule Demo.Counter do
  @moduledoc """
  This node's replica of the counter.

  The replicas of a cluster are a `:pg` group. An increment is sent to all of
  them; a replica that starts, or meets a node again, exchanges the whole state.

  A replica counts under a name of its own for each start: one that lost its
  memory in a crash then never counts again from a number that its peers have
  passed already.
  """
  use GenServer

  alias Demo.GCounter

  @scope __MODULE__.Scope
  @group :replicas

  @doc "The `:pg` scope of the replicas."
  def scope, do: @scope

  def start_link(opts \\ []) do
    {name, opts} = Keyword.pop(opts, :name, __MODULE__)
    GenServer.start_link(__MODULE__, opts, name: name)
  end

  @doc "The sum of all that was ever counted."
  def value(server \\ __MODULE__), do: GenServer.call(server, :value)

  @doc "Counts `by` more and returns the new sum."
  def add(server \\ __MODULE__, by), do: GenServer.call(server, {:add, by})

  @impl true
  def init(opts) do
    group = Keyword.get(opts, :group, @group)
    :ok = :net_kernel.monitor_nodes(true)
    :ok = :pg.join(@scope, group, self())

    state = %{
      group: group,
      me: {node(), System.unique_integer(), System.os_time()},
      counter: GCounter.new()
    }

    {:ok, state, {:continue, :meet}}
  end

  # Nodes can be connected long before this replica starts, and `:pg` learns of
  # their replicas a moment later: so the nodes are asked too.
  @impl true
  def handle_continue(:meet, state) do
    tell(state, {:merge, state.counter, self()})
    for node <- Node.list(), do: ask(node, state)
    {:noreply, state}
  end

  @impl true
  def handle_call(:value, _from, state), do: {:reply, GCounter.value(state.counter), state}

  def handle_call({:add, by}, _from, state) do
    counter = GCounter.add(state.counter, state.me, by)
    tell(state, {:merge, Map.take(counter, [state.me]), nil})
    {:reply, GCounter.value(counter), %{state | counter: counter}}
  end

  @impl true
  def handle_info({:merge, theirs, answer_to}, state) do
    state = %{state | counter: GCounter.merge(state.counter, theirs)}
    if answer_to, do: send(answer_to, {:merge, state.counter, nil})
    {:noreply, state}
  end

  # The group's membership follows the connection by a moment, and may be
  # behind it: what counts is the node, whose replica has a known name.
  def handle_info({:nodeup, node}, state) do
    ask(node, state)
    {:noreply, state}
  end

  def handle_info({:nodedown, _node}, state), do: {:noreply, state}

  defp ask(node, state), do: send({__MODULE__, node}, {:merge, state.counter, self()})

  defp tell(state, message) do
    for pid <- :pg.get_members(@scope, state.group), pid != self(), do: send(pid, message)
  end
end
