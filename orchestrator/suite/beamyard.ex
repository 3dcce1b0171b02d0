defmodule Beamyard.Error do
  @moduledoc "Says why a request to Beamyard could not be done."
  defexception [:message]
end

defmodule Beamyard do
  @moduledoc """
  Breaks the cluster of a test on purpose.

  `beamyard test` runs `mix test` in a VM that is connected to the nodes of a cluster, and gives
  this module to it. The project needs no dependency. Requests go over the Erlang distribution to
  the `beamyard` command, which changes the nodes from outside.

      test "the counter survives a partition" do
        Beamyard.partition([["n1"], ["n2", "n3"]], how: :reset)
        # ...
        Beamyard.heal()
      end

  Each fault is undone when the test ends, by `ExUnit.Callbacks.on_exit/2`: faults are healed,
  nodes run again, and every pair of nodes is connected. A fault that is injected in
  `setup_all` is undone after the tests of the module. What is injected elsewhere, such as in a
  `Task` or in `test_helper.exs`, stays until it is undone explicitly, or until the suite ends.

  Tests with faults must not run at the same time as others: see `Beamyard.Case`.

  ## Nodes

  A node is given by its short name, as a string or an atom, or by its full name:
  `"n1"`, `:n1`, `:"app@n1.demo-test.test"`. In groups and links, a role of `beamyard.yml` stands
  for all of its nodes, and so does a host: `Beamyard.partition([["@host:a"], ["@host:b"]])`.

  ## The suite's own VM

  It is not a node of the cluster, so no fault cuts it off: it stays connected to the nodes on both
  sides of a partition, and can ask them with `:erpc.call/4`. With `hard: true` the nodes that a
  partition names are cut off from it too. It is visible to the nodes, in `Node.list/0`: what an
  application keeps in `:global` or sends to `Node.list/0` passes through it from one side to the
  other.

  ## Errors

  A request that cannot be done raises `Beamyard.Error`. Its message says why.
  """

  @node :"beamyard@beamyard.invalid"
  @server {:beamyard, @node}

  @typedoc "A node, by its short or full name."
  @type name :: String.t() | atom

  @doc """
  Cuts groups of nodes off from each other, and returns the ID of the fault.

  Nodes that are in no group are one more group. The function returns when both ends of each
  connection that was cut have noticed.

  Options:

    * `:how` - `:drop`, the default: packets disappear, and nodes notice after `net_tick` of
      `beamyard.yml`, 60 s unless it is set. `:reset`: connections are reset at once, and refused.
      `:disconnect`: the VMs drop their connections and refuse new ones; the network stays.
    * `:hard` - with `true`, the nodes in the groups are cut off from everything outside of the
      cluster too, and so from the suite's VM.
    * `:for` - heals it after so many milliseconds. Without it, the fault lasts until `heal/1` or
      the end of the test.
    * `:wait` - with `false`, the function does not wait until the nodes notice.
  """
  @spec partition([[name]], keyword) :: String.t()
  def partition(groups, opts \\ []), do: inject({:partition, groups, Map.new(opts)})

  @doc """
  Makes links lossy or slow, and returns the ID of the fault.

  A link is a direction `{from, to}`, or a node: all that it sends and receives. Give one of them,
  or a list.

      Beamyard.slow("n1", loss: 5)
      Beamyard.slow([{"n1", "n2"}, {"n2", "n1"}], rate: 1_000_000)

  Options: `:loss`, `:duplicate`, `:corrupt` and `:reorder` in percent, `:rate` in bits per second,
  `:latency` and `:jitter` in milliseconds, and `:for` as in `partition/2`. Those other than
  `:loss` and `:rate` need netem in the kernel of the engine's machine.
  """
  @spec slow(name | {name, name} | [name | {name, name}], keyword) :: String.t()
  def slow(links, opts), do: inject({:slow, List.wrap(links), Map.new(opts)})

  @doc """
  Gives nodes less than they need, and returns the ID of the fault.

      Beamyard.squeeze("n1", cpus: 0.1)
      Beamyard.squeeze("n1", full: ["/data"])

  Options: `:memory` in bytes, `:cpus`, `:full`, a list of folders whose file systems are filled,
  which must be in `tmpfs:` of `beamyard.yml` with a size, and `:for` as in `partition/2`.
  """
  @spec squeeze(name | [name], keyword) :: String.t()
  def squeeze(nodes, opts), do: inject({:squeeze, List.wrap(nodes), Map.new(opts)})

  @doc """
  Makes the wall clocks of nodes wrong, and returns the ID of the fault. `clock: true` of
  `beamyard.yml` must be set.

  `System.os_time/0` shows the change within a second. Monotonic time stays right, and so do timers
  and ticks. Options: `:bump` in milliseconds forward, or back; `:drift`, the seconds that pass in one;
  `:strobe` in milliseconds, added in every other second; and `:for` as in `partition/2`.
  """
  @spec clock(name | [name], keyword) :: String.t()
  def clock(nodes, opts), do: inject({:clock, List.wrap(nodes), Map.new(opts)})

  @doc """
  Makes nodes resolve the names of their peers wrongly, and returns the ID of the fault.
  Connections stay: a node resolves names only when it connects.

  Options: `:answers` - `:none`, the default, or `:stale`, an address at which nothing answers; `:peers`,
  a list of the nodes that the answers are about, all by default; and `:for` as in `partition/2`.
  """
  @spec dns(name | [name], keyword) :: String.t()
  def dns(nodes, opts \\ []), do: inject({:dns, List.wrap(nodes), Map.new(opts)})

  @doc """
  Resets the TCP connections between groups of nodes, or between all nodes, within milliseconds
  of each other. The nodes may connect again at once.

  Returns the number of connections that were reset, when the nodes have noticed. A connection
  counts twice, once at each of its ends.
  """
  @spec blip([[name]]) :: non_neg_integer
  def blip(groups \\ []), do: request({:blip, groups})

  @doc """
  Ends faults by their IDs, or all of them, and returns the IDs of those that were in force.

  Returns when every pair of running nodes is connected again, except pairs that another fault cuts. If the
  application connects the nodes (`mesh: app` in `beamyard.yml`), it does not wait for that.
  """
  @spec heal(String.t() | [String.t()]) :: [String.t()]
  def heal(ids \\ []) do
    {healed, ready} = request({:heal, List.wrap(ids)})
    join(ready)
    healed
  end

  @doc """
  Kills the VM of a node with SIGKILL, as a loss of power does.

  Or makes it crash from inside: `:halt` ends it at once with exit code 1, `:abort` by SIGABRT,
  `:slogan` with a crash dump, and `:oom` takes all memory that its container may have, which needs
  a memory limit.

  Returns when the other nodes have noticed. The restart policy of `beamyard.yml` then applies:
  unless it says otherwise, the node is started again after a second.
  """
  @spec crash(name, :kill | :halt | :abort | :slogan | :oom) :: :ok
  def crash(node, how \\ :kill), do: breaks(node, {:crash, node, how})

  @doc "Stops a node in an orderly way. Returns when the other nodes have noticed. It stays down."
  @spec stop(name) :: :ok
  def stop(node), do: breaks(node, {:stop, node})

  @doc """
  Pauses a node, like a machine that hangs: it does not run, and its connections stay open.

  Returns when the other nodes have noticed, which takes as long as `net_tick` of `beamyard.yml`:
  60 s unless it is set. With `wait: false` it returns at once.
  """
  @spec pause(name, keyword) :: :ok
  def pause(node, opts \\ []), do: breaks(node, {:pause, node, Map.new(opts)})

  @doc "Unpauses a node. Returns when the other nodes are connected to it."
  @spec unpause(name) :: :ok
  def unpause(node), do: join(request({:unpause, node}))

  @doc "Starts a node that is down. Returns when it is ready and connected to the others."
  @spec start(name) :: :ok
  def start(node), do: join(request({:start, node}))

  @doc "Stops a node and starts it again. Returns when it is ready and connected to the others."
  @spec restart(name) :: :ok
  def restart(node), do: join(request({:restart, node}))

  @doc """
  Waits until every node that runs is ready, and connected to this VM and to every other node, except
  those from which a fault cuts it off.

  The option `:timeout` is in milliseconds, 60,000 by default. After that it raises.
  """
  @spec await_mesh(keyword) :: :ok
  def await_mesh(opts \\ []), do: join(request({:await_mesh, Map.new(opts)}))

  @doc """
  Returns the nodes of the cluster, in their order, each as a map:

    * `:name` - its short name, `"n1"`
    * `:node` - its full name, for `:erpc.call/4`
    * `:state` - `:ready`, `:degraded`, `:starting`, `:backing_off`, `:stopped`, `:failed`, …
    * `:paused` - whether it is paused
    * `:peers` - the short names of the nodes that it is connected to
    * `:url` - its HTTP server as the suite reaches it, or `nil`
  """
  @spec nodes() :: [
          %{
            name: String.t(),
            node: node,
            state: atom,
            paused: boolean,
            peers: [String.t()],
            url: String.t() | nil
          }
        ]
  def nodes, do: request(:nodes)

  @doc "Returns the last lines that a node has printed, both streams together, the oldest first."
  @spec output(name, pos_integer) :: [String.t()]
  def output(node, lines \\ 50), do: request({:output, node, lines})

  @doc """
  Returns the faults in force that `heal/1` ends, the oldest first, each as a map: `:id`, `:kind`, `:text`,
  and `:ends_in`, the milliseconds after which it ends by itself, or `nil`.
  """
  @spec faults() :: [
          %{
            id: String.t(),
            kind: :partition | :cut | :link | :dns | :clock | :squeeze,
            text: String.t(),
            ends_in: non_neg_integer | nil
          }
        ]
  def faults, do: request(:faults)

  @doc false
  def need(count), do: join(request({:need, count}))

  @doc false
  def report(test), do: request({:report, test})

  defp inject(request) do
    id = request(request)
    undo({:fault, id})
    id
  end

  defp breaks(node, request) do
    request(request)
    undo({:node, node})
  end

  # Only a test process, and that of setup_all, has an on_exit.
  defp undo(what) do
    ExUnit.Callbacks.on_exit({__MODULE__, what}, fn -> join(request({:undo, what})) end)
  rescue
    ArgumentError -> :ok
  end

  # This VM connects to the nodes by itself: the command connects only nodes.
  defp join(nodes), do: Enum.each(nodes, &Node.connect/1)

  defp request(request) do
    case ask(request) do
      {:ok, value} -> value
      {:error, message} -> raise Beamyard.Error, message: message
    end
  end

  # A call to a node that is not connected would look its name up.
  defp ask(request) do
    if @node in Node.list(:hidden),
      do: GenServer.call(@server, request, :infinity),
      else: {:error, "the beamyard command is not connected to this VM"}
  catch
    :exit, {reason, _call} -> {:error, "the beamyard command does not answer: #{inspect(reason)}"}
  end
end

defmodule Beamyard.Case do
  @moduledoc """
  A case template for tests that break the cluster.

      defmodule Shop.ClusterTest do
        use Beamyard.Case

        @tag nodes: 3, faults: true
        test "a cart survives the loss of its node" do
          Beamyard.crash("n2")
          # ...
        end
      end

  It is `use ExUnit.Case` with `async: false`: a fault concerns every test that uses the nodes.

  Tags:

    * `nodes: 3` - the test needs this many running nodes. Nodes that are down are started before
      it; it fails if the cluster has fewer. A value that is not a number is ignored.
    * `faults: true` - after the test, all faults are healed, also those of other processes, and
      every pair of nodes is connected again. Faults that the test injects by `Beamyard` are undone
      without this tag.

  When a test fails, the state of the nodes at that moment is printed, with what is wrong with them,
  and the path of a folder with the evidence: the nodes' output, the timeline and more, on the
  machine that runs `beamyard`. A failure in `setup`, or by a linked process, is not noticed.
  """
  use ExUnit.CaseTemplate

  using opts do
    if opts[:async] do
      raise ArgumentError,
            "use Beamyard.Case: its tests cannot be async, because faults concern all tests"
    end

    quote do
      @before_compile Beamyard.Case
    end
  end

  setup context do
    if is_integer(context[:nodes]), do: Beamyard.need(context[:nodes])

    if context[:faults] do
      on_exit(fn ->
        Beamyard.heal()
        Beamyard.await_mesh()
      end)
    end

    :ok
  end

  @doc false
  defmacro __before_compile__(env) do
    for {name, 1} <- Module.definitions_in(env.module, :def),
        name |> to_string() |> String.starts_with?(["test ", "property "]) do
      quote do
        defoverridable [{unquote(name), 1}]

        def unquote(name)(context) do
          try do
            super(context)
          catch
            kind, reason ->
              Beamyard.Case.__failed__(context)
              :erlang.raise(kind, reason, Beamyard.Case.__stack__(context, __STACKTRACE__))
          end
        end
      end
    end
  end

  @doc false
  def __failed__(%{module: module, test: test}) do
    %{text: text} = Beamyard.report("#{inspect(module)} \"#{test}\"")
    IO.puts("\n#{inspect(module)} \"#{test}\" failed with this cluster:\n\n#{text}")
  rescue
    # The failure of the test is what must be seen.
    error in Beamyard.Error -> IO.puts("\nno report of the cluster: #{error.message}")
  end

  # The stack as it is without this template: ExUnit shows the line of the test that is in it.
  @doc false
  def __stack__(%{module: module, test: test}, stack) do
    Enum.flat_map(stack, fn
      {^module, ^test, 1, _} ->
        []

      {^module, function, 1, location} = frame ->
        if String.starts_with?(to_string(function), "#{test} (overridable"),
          do: [{module, test, 1, location}],
          else: [frame]

      frame ->
        [frame]
    end)
  end
end
