# Boots a compiled Mix project as `mix run --no-halt --no-compile --no-deps-check` does, in
# about half the time of the processor.
#
# Mix itself does what belongs to a start: it reads config/config.exs and
# config/runtime.exs, checks the configuration, and starts the applications, with their
# type, its messages and its exit codes. Two things are the same at every start of an image,
# and take most of Mix's time: compiling mix.exs, and finding the dependencies, their code
# paths and their applications. The build of the image records them, and this module puts
# the record in their place: what Mix's task `compile --no-compile` would have done.
#
#     build of the image               every start
#     ──────────────────               ───────────
#     record: as `mix run`,            the modules that every start loads, all at once
#       up to the task `compile`       fits? the record is of this mix.exs, MIX_ENV, …
#     check: a VM that is started        │no ─► Mix.CLI, as `mix run` does
#       as a node is boots from the    Mix: loadconfig
#       record; its state must be      restore: mix.exs, code paths, applications
#       equal. It notes what it loads  Mix: app.config, app.start
#
# Nearly all processor time of a boot goes into loading code. Modules that are loaded together
# share what the VM does for each change of its tables.
#
# It is started by the flag `-s` of erl, after Elixir's own command line has had nothing to
# do: a script or an expression there would load the compiler (50 to 100 ms).
#
# For Elixir 1.14 to 1.19, verified with 1.14 and 1.18. Source: Mix.CLI, and Mix.Tasks.{Run, App.Start, App.Config, Compile,
# Compile.All, Loadpaths, Deps.Loadpaths}.
defmodule :beamyard_boot do
  @moduledoc false
  @compile {:no_warn_undefined, [Hex, Mix.PubSub]}

  @args ["run", "--no-halt", "--no-compile", "--no-deps-check"]

  # Tasks whose work the record contains, or whose order it changes. An alias for one of them
  # must run as the project wants it.
  @tasks ~w(run app.start app.config app.load compile compile.all loadpaths deps.loadpaths loadconfig archive.check)a

  # The entry of erl's -s. Kernel.CLI shows errors, and ends the VM, as for a script.
  def start do
    with {:ok, binary} <- :file.read_file(file(~c"modules")), do: :code.ensure_modules_loaded(:erlang.binary_to_term(binary))
    run(fn -> main(tl(System.argv())) end)
  end

  # The build's second step, by the same way in.
  def check do
    before = :code.all_loaded()
    run(fn -> build(fn -> check(before) end) end)
  end

  defp run(fun) do
    :code.del_path(folder())

    Kernel.CLI.run(fn _ ->
      # The flag has kept the VM alive until here. Now it ends, unless Mix succeeds.
      System.no_halt(false)
      fun.()
    end)
  end

  # Starts the node. Without a record that fits, this is `mix run`.
  defp main(args) do
    Mix.start()
    System.argv(args)

    case fitting(args) do
      {:ok, record} -> boot(record)
      {:error, reason} -> instead(reason, args)
    end
  end

  # The build's first step.
  def record, do: build(&write/0)

  # Runs a step of the build. The last line of the output is the result.
  defp build(step) do
    result = step.()
    IO.puts(["\nbeamyard: ", if(result == :ok, do: "direct", else: elem(result, 1))])
  catch
    :throw, reason -> IO.puts(["\nbeamyard: ", reason])
    kind, reason -> IO.puts(["\nbeamyard: ", String.replace(Exception.format_banner(kind, reason, __STACKTRACE__), "\n", " ")])
  end

  # Writes the record of the project in the current folder, and the VM's state beside it. The
  # arguments are names of variables whose values the image must not contain.
  defp write do
    Mix.start()
    initial = :code.get_path()
    append_archives()
    if not Version.match?(System.version(), ">= 1.14.0 and < 1.20.0-0"), do: throw("Elixir #{System.version()} is not known")
    if reason = strange(), do: throw(reason)

    before = loaded_from_memory()
    {modules, file} = compile_mix_exs()
    if loaded_from_memory() -- before != Enum.map(modules, &elem(&1, 0)), do: throw("mix.exs loads other files of code")
    tools = started()
    loaded = loaded()
    Mix.Hex.ensure_updated?()
    Mix.Task.run("loadconfig")
    Mix.Task.run("compile", tl(@args))
    for_project = started() -- tools
    hex = if :hex in for_project, do: [:hex | tools_of(:hex)], else: []
    if for_project -- hex != [], do: throw("Mix starts #{Enum.join(for_project -- hex, ", ")} for the project")

    if reason = customised(), do: throw(reason)

    project = Mix.Project.get!()
    own = own_paths()
    # Starting Hex loads its applications, from code paths that the project does not have.
    apps = for app <- (loaded() -- loaded) -- hex, do: {app, resource(app, own)}

    record = %{
      versions: versions(),
      variables: variables(),
      folder: File.cwd!(),
      initial: initial,
      sources: sources(),
      modules: for({module, binary} <- modules, do: {module, elem(:code.is_loaded(module), 1), binary}),
      project: {project, file},
      config: settings(project),
      paths: :code.get_path(),
      own: own,
      apps: apps,
      hex_loaded: :code.is_loaded(Hex) != false,
      hex: Hex.SCM in Mix.State.get(:scm),
      listeners: listeners?(),
      tasks: :ets.tab2list(Mix.TasksServer),
      caches: for({{Mix.State, key}, value} <- :persistent_term.get(), is_tuple(key), elem(key, 0) in [:cached_deps, :umbrella_deps], do: {key, value})
    }

    binary = :erlang.term_to_binary(record, [:deterministic])
    secret = Enum.find(System.argv(), &(:binary.match(binary, System.fetch_env!(&1)) != :nomatch))
    if secret, do: throw("mix.exs contains the value of the secret #{secret}")
    File.write!(file(~c"record"), binary)
    File.write!(file(~c"state"), :erlang.term_to_binary(state()))
    :ok
  end

  # Boots from the record up to the configuration at run time, and compares with the VM that
  # wrote it. before is what was loaded before the boot.
  defp check(before) do
    Mix.start()

    with {:ok, record} <- fitting(@args) do
      cond do
        not push(record) ->
          {:error, "mix.exs says something else each time"}

        true ->
          ensure_hex(record)
          Mix.Task.run("loadconfig")
          restore(record)
          File.write!(file(~c"modules"), :erlang.term_to_binary(modules(:code.all_loaded() -- before, record)))
          compare(:erlang.binary_to_term(File.read!(file(~c"state"))), state())
      end
    end
  end

  ## A start

  defp fitting(args) do
    with {:ok, binary} <- File.read(file(~c"record")),
         record = :erlang.binary_to_term(binary),
         nil <- Enum.find_value(facts(record, args), fn {same, what} -> if(not same, do: what) end),
         nil <- strange() do
      {:ok, record}
    else
      {:error, reason} -> {:error, "no record: #{:file.format_error(reason)}"}
      reason -> {:error, reason}
    end
  end

  defp facts(record, args) do
    [
      {args == @args, "other arguments"},
      {record.versions == versions(), "another Elixir or OTP"},
      {record.variables == variables(), "other variables MIX_*"},
      {record.folder == File.cwd!(), "another folder"},
      {record.initial == :code.get_path(), "other code paths"},
      {record.sources == sources(Map.keys(record.sources)), "a changed mix.exs"}
    ]
  end

  defp boot(record) do
    fits = push(record)
    if not fits and insists(), do: refuse("mix.exs says something else than when the image was built")
    ensure_hex(record)

    simplified(fn ->
      Mix.Task.run("loadconfig")

      if fits do
        restore(record)
        System.argv([])
        # Its first step is the task `compile`, which the record stands for.
        Mix.TasksServer.put({:task, "compile", elem(record.project, 0)})
        Mix.Task.run("app.config", tl(@args))
        Mix.Task.reenable("compile")
        # This is what the task `run` does with these arguments.
        Mix.Task.run("app.start", tl(@args))
        System.no_halt(true)
      else
        Mix.Task.run("run", tl(@args))
      end
    end)
  end

  # Mix.CLI shows the errors of Mix so.
  defp simplified(fun) do
    fun.()
  rescue
    exception ->
      case Map.get(exception, :mix, false) do
        true -> simplified(exception, 1)
        code when code in 0..255 -> simplified(exception, code)
        _ -> reraise exception, __STACKTRACE__
      end
  end

  defp simplified(%name{} = exception, code) do
    Mix.shell().error("** (#{hd(Module.split(name))}) #{Exception.message(exception)}")
    exit({:shutdown, code})
  end

  defp instead(reason, args) do
    if insists(), do: refuse(reason)
    Mix.CLI.main(args)
  end

  defp insists, do: System.get_env("BEAMYARD_BOOT") == "direct"

  defp refuse(reason) do
    Mix.shell().error("** (Mix) boot: direct is not possible: #{reason}")
    exit({:shutdown, 1})
  end

  # Loads mix.exs, and reports whether it says what it said at the build.
  defp push(record) do
    {project, file} = record.project
    for {module, at, binary} <- record.modules, do: {:module, _} = :code.load_binary(module, at, binary)
    if function_exported?(Mix.ProjectStack, :pop_post_config, 1), do: Mix.ProjectStack.post_config(state_loader: {:cli, "run"})
    Mix.Project.push(project, file)
    record.config == settings(project)
  end

  # Hex is looked for along all code paths, so not at all if the build did not find it.
  defp ensure_hex(record) do
    if record.hex_loaded do
      append_archives()
      Mix.Hex.ensure_updated?()
    end
  end

  # Since 1.15, starting Mix does it.
  defp append_archives do
    if Version.match?(System.version(), "< 1.15.0"), do: Enum.each([:append_archives, :append_paths], &apply(Mix.Local, &1, []))
  end

  defp restore(record) do
    if record.hex, do: Mix.Hex.start()
    if record.listeners, do: Mix.PubSub.start()
    set_paths(record.paths, record.own)
    if record.listeners, do: Mix.PubSub.start_listeners()
    for {key, value} <- record.caches, do: Mix.State.write_cache(key, value)
    for {app, resource} <- record.apps, do: load(app, resource)
    for {task} <- record.tasks, do: Mix.TasksServer.put(task)
    config = Mix.Project.config()

    with true <- config[:consolidate_protocols], {:ok, files} <- File.ls(Mix.Project.consolidation_path(config)) do
      for "Elixir." <> _ = file <- files, module = String.to_atom(Path.rootname(file)) do
        :code.purge(module)
        :code.delete(module)
      end
    end

    true
  end

  # Mix caches the paths of dependencies, and not those of the project, which may get new
  # modules. OTP caches since 26.
  defp set_paths(paths, own) do
    if function_exported?(:code, :set_path, 2) do
      apply(:code, :set_path, [paths, :cache])
      last = Enum.find_index(Enum.reverse(paths), &(&1 in own)) || length(paths)
      paths |> Enum.take(length(paths) - last) |> Enum.reverse() |> Enum.each(&:code.add_patha/1)
    else
      :code.set_path(paths)
    end
  end

  # The resource of an application of the project is read at each start: a sync may have
  # changed it.
  defp load(app, {path, nil, checked}) do
    case :file.consult(path) do
      {:ok, [{:application, ^app, properties}]} -> load(app, {path, properties, checked})
      _ -> :missing
    end
  end

  defp load(app, {_, properties, checked}) do
    :application.load({:application, app, properties})

    with true <- checked, [_ | _] = compiled <- properties[:compile_env], {:error, message} <- Config.Provider.validate_compile_env(compiled, false) do
      Mix.raise(message)
    end
  end

  ## What the record is made of

  defp compile_mix_exs do
    if function_exported?(Mix.ProjectStack, :pop_post_config, 1), do: Mix.ProjectStack.post_config(state_loader: {:cli, "run"})
    old = Code.get_compiler_option(:no_warn_undefined)
    Code.put_compiler_option(:no_warn_undefined, :all)
    modules = Code.compile_file("mix.exs")
    Code.put_compiler_option(:no_warn_undefined, old)
    {modules, Mix.Project.project_file()}
  end

  # The modules of Elixir and OTP among those that a boot has loaded, and those of the tasks that
  # follow.
  defp modules(loaded, record) do
    folders = MapSet.new(record.initial)
    found = for {module, at} <- loaded, is_list(at) and at != [], :filename.dirname(at) in folders, do: module
    Enum.sort([Mix.Tasks.App.Config, Mix.Tasks.App.Start, Mix.Tasks.Compile, OptionParser | found])
  end

  defp loaded_from_memory do
    for {module, at} <- :code.all_loaded(), at != :preloaded, at == [] or not String.ends_with?(to_string(at), ".beam"), do: module
  end

  # What makes Mix itself behave in another way.
  defp strange do
    cond do
      File.regular?(Path.join(Mix.Utils.mix_config(), "config.exs")) -> "Mix has a configuration of the user"
      System.get_env("MIX_ENV") in [nil, ""] -> "MIX_ENV is not set"
      name = Enum.find(~w(MIX_EXS MIX_DEBUG MIX_QUIET MIX_PROFILE), &System.get_env/1) -> "#{name} is set"
      true -> nil
    end
  end

  # What makes the project start in its own way.
  defp customised do
    config = Mix.Project.config()
    asked = Enum.find_value(config[:aliases] || [], fn {name, _} -> if(name in @tasks, do: name) end)

    cond do
      asked -> "mix.exs has an alias for #{asked}"
      config[:preferred_cli_target][:run] -> "mix.exs has a preferred target for run"
      dep = Enum.find(mix_files(), &asks?/1) -> "#{Path.relative_to_cwd(dep)} reads the environment"
      true -> nil
    end
  end

  # mix.exs may say something else in another environment. What project/0 and application/0
  # of the project say is compared at each start. What the module's body reads, and what other
  # projects say, is not.
  defp asks?(file) do
    own = Path.expand("mix.exs")

    with {:ok, text} <- File.read(file), {:ok, quoted} <- Code.string_to_quoted(text) do
      {_, asks} = Macro.prewalk(quoted, false, fn
        {definition, _, [{_, _, _} | _]}, asks when definition in [:def, :defp] and file == own -> {nil, asks}
        {:., _, [{:__aliases__, _, [:System]}, name]} = node, asks -> {node, asks or name in [:get_env, :fetch_env, :fetch_env!]}
        {:., _, [:os, :getenv]} = node, _ -> {node, true}
        node, asks -> {node, asks}
      end)

      asks
    else
      _ -> false
    end
  end

  # The mix.exs of the project, of an umbrella's applications, and of dependencies that are
  # part of the sources.
  defp mix_files do
    below = for dep <- Mix.Dep.cached(), not dep.scm.fetchable?(), dest = dep.opts[:dest], do: Path.join(dest, "mix.exs")
    [Path.expand("mix.exs") | below]
  end

  defp sources, do: sources(mix_files())

  defp sources(files) do
    for file <- files, into: %{} do
      case File.read(file) do
        {:ok, text} -> {file, :erlang.md5(text)}
        _ -> {file, nil}
      end
    end
  end

  defp settings(project) do
    application = if function_exported?(project, :application, 0), do: project.application()
    {Mix.Project.config(), application, Mix.Project.apps_paths()}
  end

  # Code paths that a sync writes to.
  defp own_paths do
    config = Mix.Project.config()
    build = Mix.Project.build_path(config)
    local = for dep <- Mix.Dep.cached(), not dep.scm.fetchable?(), do: dep.app
    apps = Enum.uniq(List.wrap(config[:app]) ++ local)
    for(app <- apps, do: to_charlist(Path.join([build, "lib", to_string(app), "ebin"]))) ++ [to_charlist(Mix.Project.consolidation_path(config))]
  end

  defp resource(app, own) do
    case :code.where_is_file(to_charlist("#{app}.app")) do
      :non_existing ->
        throw("application #{app} is loaded, and no code path has it")

      path ->
        ours = to_charlist(Path.dirname(to_string(path))) in own
        {:ok, [{:application, ^app, properties}]} = :file.consult(path)
        # Mix 1.14 checks every application's configuration, and later ones the project's.
        checked = Version.match?(System.version(), "< 1.15.0") or app in projects()
        {path, if(ours, do: nil, else: properties), checked}
    end
  end

  defp projects, do: List.wrap(Mix.Project.config()[:app]) ++ Map.keys(Mix.Project.apps_paths() || %{})

  # Mix 1.18 and later notify listeners of what other processes compile. If the project has
  # none, the process that would notify them is left out.
  defp listeners? do
    Process.whereis(Mix.PubSub.ListenerSupervisor) != nil and Supervisor.which_children(Mix.PubSub.ListenerSupervisor) != []
  end

  defp folder, do: :filename.dirname(:code.which(__MODULE__))
  defp file(name), do: :filename.join(folder(), name)
  defp versions, do: {System.version(), :erlang.system_info(:version)}
  defp variables, do: for({"MIX_" <> _, _} = pair <- System.get_env(), into: %{}, do: pair)
  defp loaded, do: for({app, _, _} <- Application.loaded_applications(), do: app)
  defp started, do: for({app, _, _} <- Application.started_applications(), do: app)

  defp tools_of(app) do
    for child <- Application.spec(app, :applications) || [], found <- [child | tools_of(child)], do: found
  end

  # The state of a VM before the configuration at run time, and before it starts the project.
  defp state do
    apps = Enum.sort(loaded())

    %{
      loaded: for(app <- apps, {:ok, keys} = :application.get_all_key(app), do: {app, Keyword.delete(keys, :env)}),
      environment: for(app <- apps, do: {app, Enum.sort(Application.get_all_env(app))}),
      started: Enum.sort(started()),
      paths: :code.get_path(),
      project: {Mix.Project.get(), Mix.Project.config(), Mix.Project.project_file()},
      configured: {Enum.sort(Mix.ProjectStack.config_apps()), Enum.sort(Mix.ProjectStack.config_files())},
      mix: {Mix.env(), Mix.target(), Mix.State.get(:scm)},
      tasks: Enum.sort(:ets.tab2list(Mix.TasksServer)),
      processes: Enum.sort(Process.registered() -- if(listeners?(), do: [], else: [Mix.PubSub, Mix.PubSub.Subscriber, Mix.PubSub.ListenerSupervisor])),
      logger: :logger.get_config()
    }
  end

  defp compare(state, state), do: :ok

  defp compare(recorded, now) do
    {:error, "a boot from the record differs: " <> Enum.map_join(for({key, value} <- recorded, now[key] != value, do: {key, value}), ", ", &differs(&1, now))}
  end

  defp differs({key, value}, now) when is_list(value) do
    names = for item <- (value -- now[key]) ++ (now[key] -- value), do: if(is_tuple(item), do: elem(item, 0), else: item)
    "#{key} (#{names |> Enum.uniq() |> Enum.take(3) |> Enum.map_join(" ", &inspect/1)})"
  end

  defp differs({key, _}, _), do: "#{key}"
end
