defmodule Demo.Counter do
  @moduledoc """
  This node's replica of the counter.

  The replicas of a cluster are a `:pg` group. Each sends its increments to the
  others, and all that it knows to whoever joins. Nodes that connect, again or
  for the first time, join each other's view of the group, so this is also how
  the halves of a cluster that was cut agree again.

  The group's own events decide, not `:nodeup`: between `:nodeup` and `:pg`
  learning of the other node's replica, an increment would reach nobody. `:pg`
  adds a member before it reports it, so what was counted earlier is in the
  state that follows the report, and what is counted later is sent on its own.

  A replica counts under a name of its own for each start: one that lost its
  memory in a crash then never counts again from a number that its peers have
  passed already. The price is one entry per start.

  With `$DEMO_BUG` it has a bug, for chaos to find: a replica tells what it knows
  only to nodes that it has not met before.
  """
  use GenServer

  alias Demo.GCounter

  @scope __MODULE__.Scope
  @group :replicas

  @doc "The `:pg` scope of the replicas, to be started before them."
  def scope, do: @scope

  @doc "Starts a replica. Options: `:name` (this module) and `:group` (`:replicas`)."
  def start_link(opts \\ []) do
    {name, opts} = Keyword.pop(opts, :name, __MODULE__)
    GenServer.start_link(__MODULE__, opts, name: name)
  end

  @doc "The sum of all that was ever counted, as far as this replica knows."
  def value(server \\ __MODULE__), do: GenServer.call(server, :value)

  @doc "Counts `by` more and returns the new sum."
  def add(server \\ __MODULE__, by), do: GenServer.call(server, {:add, by})

  @impl true
  def init(opts) do
    group = Keyword.get(opts, :group, @group)
    :ok = :pg.join(@scope, group, self())
    {:ok, _} = Demo.Watch.start_link({@scope, group, self()})

    {:ok,
     %{
       group: group,
       me: {node(), System.os_time(), System.unique_integer()},
       counter: GCounter.new(),
       bug: System.get_env("DEMO_BUG") != nil,
       met: []
     }}
  end

  @impl true
  def handle_call(:value, _from, state), do: {:reply, GCounter.value(state.counter), state}

  def handle_call({:add, by}, _from, state) do
    counter = GCounter.add(state.counter, state.me, by)
    tell(:pg.get_members(@scope, state.group), Map.take(counter, [state.me]))
    {:reply, GCounter.value(counter), %{state | counter: counter}}
  end

  @impl true
  def handle_info({:merge, theirs}, state) do
    {:noreply, %{state | counter: GCounter.merge(state.counter, theirs)}}
  end

  def handle_info({:met, replicas}, state) do
    known = if state.bug, do: state.met, else: []
    tell(Enum.reject(replicas, &(node(&1) in known)), state.counter)
    {:noreply, %{state | met: Enum.uniq(Enum.map(replicas, &node/1) ++ state.met)}}
  end

  defp tell(replicas, counter) do
    for pid <- replicas, pid != self(), do: send(pid, {:merge, counter})
  end
end
