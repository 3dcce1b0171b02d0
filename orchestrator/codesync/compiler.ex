defmodule Beamyard.Compiler do
  @moduledoc false
  # Runs in the compiler's VM, whose Mix has the project loaded: it takes in
  # sources, has Mix compile them, and tells what differs from the image.
  #
  # Its memory is three files beside the project: what the image held, every path
  # that nodes may have been given, and the archive for nodes that do not run.

  # The first sync compiles this module, and waits for it: most of Erlang's optimisations
  # take longer than they ever save here. (A third of 350 ms of processor, on OTP 27.)
  @compile [:no_copt, :no_bool_opt, :no_share_opt, :no_bsm_opt, :no_fun_opt, :no_recv_opt, :no_type_opt, :no_ssa_opt, :no_postopt]

  @memory "/tmp/beamyard"
  # The project's folder below the one that holds all its sources.
  @project "PROJECT"
  @never ~w(.git node_modules .elixir_ls .lexical)
  @minutes 10
  @grace 10_000

  @doc "Which text this module was made of."
  def version, do: "VERSION"

  @doc """
  Holds the compiler for a node: it waits for who has it, and lets go with that node.

  Whoever lets go while its work goes on, as one that was interrupted does, keeps
  the others out until that ends. Mix is not killed for it: its projects and the
  VM's folder would stay as they were in the middle. Where it takes too long, the VM
  ends, and the next one who asks starts it again.
  """
  def lock(owner) do
    caller = self()

    {pid, ref} =
      spawn_monitor(fn ->
        try do
          Process.register(self(), __MODULE__)
        rescue
          ArgumentError -> exit(:busy)
        end

        Node.monitor(owner, true)
        # It may have gone while it waited.
        if owner not in Node.list(:connected), do: exit(:gone)
        send(caller, {:locked, self()})
        hold([])
      end)

    receive do
      {:locked, ^pid} ->
        Process.demonitor(ref, [:flush])
        :ok

      {:DOWN, ^ref, _, _, :gone} ->
        exit(:gone)

      {:DOWN, ^ref, _, _, _} ->
        other = Process.monitor(__MODULE__)

        receive do
          {:DOWN, ^other, _, _, _} -> lock(owner)
        end
    end
  end

  defp hold(working) do
    receive do
      {:work, pid, ref} ->
        working = [Process.monitor(pid) | working]
        send(pid, {:work, ref})
        hold(working)

      {:DOWN, ref, _, _, _} ->
        hold(List.delete(working, ref))

      {:nodedown, _} ->
        let_go(working)

      :unlock ->
        let_go(working)
    end
  end

  defp let_go(working) do
    timer = Process.send_after(self(), :too_long, @grace)

    for ref <- working do
      receive do
        {:DOWN, ^ref, _, _, _} -> :ok
        :too_long -> System.halt(0)
      end
    end

    Process.cancel_timer(timer)
  end

  # The rest of this process is work under the lock.
  defp working do
    ref = Process.monitor(__MODULE__)

    with pid when is_pid(pid) <- Process.whereis(__MODULE__), do: send(pid, {:work, self(), ref})

    receive do
      {:work, ^ref} -> Process.demonitor(ref, [:flush])
      {:DOWN, ^ref, _, _, _} -> exit(:not_locked)
    end
  end

  @doc "Lets go."
  def unlock do
    with pid when is_pid(pid) <- Process.whereis(__MODULE__) do
      ref = Process.monitor(pid)
      send(pid, :unlock)

      receive do
        {:DOWN, ^ref, _, _, _} -> :ok
      end
    end
  end

  @doc "The project's folder, and the MD5 of each of its sources by path below it."
  def sources do
    working()
    awake()
    {own, _} = baseline()
    root = root()

    files =
      for {path, {:regular, mtime, size, _}} <- walk(root, skipped(), %{}) do
        sum =
          case own do
            %{^path => {^mtime, ^size, sum}} -> sum
            _ -> md5(path)
          end

        {Path.relative_to(path, root), sum}
      end

    {root, files}
  end

  @doc """
  Takes in files, `{path, mode, content}`, and removes others.

  Mix finds what is stale by times of whole seconds: on 1.14 a source must be
  later than the last compilation, since 1.15 later than itself was then. So time
  goes by one second here with each change, from the image's on, and what a
  compilation writes is set back to it. It never passes the real time: Mix would
  set it back itself.
  """
  def put(files, removed) do
    working()
    root = root()
    paths = for path <- removed ++ Enum.map(files, &elem(&1, 0)), do: Path.join(root, path)
    if Enum.any?(paths, &dependency?/1), do: whole_baseline()
    time = tick()

    for {path, mode, content} <- files do
      path = Path.join(root, path)
      File.mkdir_p!(Path.dirname(path))
      File.write!(path, content)
      File.chmod!(path, mode)
      File.touch!(path, time)
    end

    for path <- removed, do: File.rm(Path.join(root, path))
    :ok
  rescue
    e in File.Error -> {:error, Exception.message(e)}
  end

  @doc """
  Compiles as `mix compile` does, and with `deep` makes the release again: `{status, what was printed, microseconds of Mix}`.
  """
  def compile(deep) do
    working()
    awake()
    if deep, do: whole_baseline()
    began = System.monotonic_time(:microsecond)
    {:ok, io} = StringIO.open("")
    leader = Process.group_leader()
    stderr = Process.whereis(:standard_error)
    Process.group_leader(self(), io)
    errors_to(io)

    status =
      try do
        Mix.Task.clear()

        status = status(Mix.Task.run("compile", ["--return-errors"]))
        if deep and status != :error, do: release()
        if not deep and status != :error, do: mirror()
        status
      rescue
        e in Mix.Error ->
          IO.puts(io, "** (Mix) " <> e.message)
          :error
      catch
        # How Mix ends once it has said why: of a dependency by its path.
        :exit, {:shutdown, code} when is_integer(code) ->
          :error

        kind, reason ->
          IO.puts(io, Exception.format(kind, reason, __STACKTRACE__))
          :error
      after
        Process.group_leader(self(), leader)
        errors_to(stderr)
      end

    took = System.monotonic_time(:microsecond) - began
    {:ok, {_, text}} = StringIO.close(io)
    if status == :error, do: settle(walk_project(false))
    {status, text, took}
  end

  defp errors_to(pid) do
    if Process.whereis(:standard_error), do: Process.unregister(:standard_error)
    if is_pid(pid) and Process.alive?(pid), do: Process.register(pid, :standard_error)
  end

  defp status({status, _diagnostics}), do: status
  defp status(status) when is_atom(status), do: status

  # of an umbrella's applications
  defp status(several) when is_list(several) do
    statuses = Enum.map(several, &status/1)
    Enum.find([:error, :ok, :noop], :noop, &(&1 in statuses))
  end

  @doc """
  What differs from the image. With `deep`, dependencies too. With `all`, nodes may
  have been given any file of the project's own: a compiler before this one did so,
  and what it remembered is lost.

    * files: `{path, mode, uid, gid, md5}` that the image has not, or otherwise, or that
      nodes were given: one that is again as in the image is not so on them
    * gone: paths that the image had, or that nodes were given, and that are no more
    * modules: `{module, md5, path, md5 of the file, {path, md5} in a release or nil, on_load?}` of the
      project's own applications; the path is that of the consolidated protocol
      where there is one
  """
  def overlay(deep, all) do
    working()
    old = if deep, do: whole_baseline(), else: elem(baseline(), 0)
    now = settle(walk_project(deep))

    known = remember("given", MapSet.new())

    given =
      if all, do: MapSet.union(known, MapSet.new(Map.keys(walk_project(false)))), else: known

    # A restart may have given them dependencies, and a release's libraries.
    now =
      for path <- given,
          not is_map_key(now, path),
          {:ok, stat} <- [:file.read_link_info(path, [:raw, time: :posix])],
          reduce: now,
          do: (now -> entry(elem(stat, 2), stat, Path.basename(path), path, [path], now))

    files =
      for {path, {:regular, mtime, size, mode}} <- now,
          path in given or not match?({^mtime, ^size, _}, old[path]),
          sum = md5(path),
          path in given or not match?({_, _, ^sum}, old[path]) do
        {uid, gid} = owner(path)
        {path, mode, uid, gid, sum}
      end

    paths = MapSet.new(files, &elem(&1, 0))
    given = MapSet.union(given, paths)
    if not MapSet.equal?(given, known), do: keep("given", given)

    gone =
      for path <- Enum.uniq(Map.keys(old) ++ MapSet.to_list(given)),
          not is_map_key(now, path),
          not File.exists?(path),
          do: path

    {files, gone, modules(now)}
  end

  @doc "The contents of files."
  def read(paths), do: for(path <- paths, do: File.read!(path))

  @doc "Keeps the archive of what nodes were given, for those that are made anew."
  def keep_archive(content) do
    working()
    path = Path.join(@memory, "overlay.tar")
    File.write!(path <> "~", content)
    File.rename!(path <> "~", path)
  end

  ## Modules

  defp modules(now) do
    build = Mix.Project.build_path()
    together = Mix.Project.consolidation_path()
    consolidated = MapSet.new(beams(together))
    protocols = released_protocols()

    for app <- project_apps(),
        ebin = Path.join([build, "lib", to_string(app), "ebin"]),
        ebins = for(folder <- released_apps(app), do: folder <> "/ebin"),
        beam <- beams(ebin) do
      shared = beam in consolidated
      path = if(shared, do: together, else: ebin) <> "/" <> beam
      {name, sum, on_load, file} = info(path, now[path])
      {name, sum, path, file, released(beam, if(shared, do: protocols, else: ebins)), on_load}
    end
  end

  # What was found of a beam stays true while its time and size do: settle/1 gives
  # each compilation a time of its own.
  defp info(path, known \\ nil) do
    key =
      with nil <- known do
        {:ok, stat} = :file.read_file_info(path, [:raw, time: :posix])
        {:regular, elem(stat, 5), elem(stat, 1), Bitwise.band(elem(stat, 7), 0o777)}
      end

    case :persistent_term.get({__MODULE__, path}, nil) do
      {^key, found} ->
        found

      _ ->
        binary = File.read!(path)

        {:ok, {name, sum}} = :beam_lib.md5(binary)
        # No chunk tells of on_load: the loader does, which loads nothing by this.
        on_load = :erlang.has_prepared_code_on_load(:erlang.prepare_loading(name, binary))
        found = {name, sum, on_load, :erlang.md5(binary)}
        :persistent_term.put({__MODULE__, path}, {key, found})
        found
    end
  end

  defp beams(folder) do
    case File.ls(folder) do
      {:ok, names} -> for n <- names, String.ends_with?(n, ".beam"), do: n
      _ -> []
    end
  end

  # A release holds copies of the applications, and its boot script a list of their
  # modules, which are all that it loads. So it follows: by copies where the modules
  # are the same ones, else it is made again.
  defp mirror do
    build = Mix.Project.build_path()

    pairs =
      for app <- project_apps(), target <- released_apps(app) do
        {Path.join([build, "lib", to_string(app)]), target}
      end

    if Enum.all?(pairs, fn {from, to} -> modules_in(from) == modules_in(to) end) do
      for {from, to} <- pairs, part <- ~w(ebin priv), File.dir?(Path.join(from, part)) do
        copy(Path.join(from, part), Path.join(to, part))
      end

      together = Mix.Project.consolidation_path()
      for target <- released_protocols(), File.dir?(together), do: copy(together, target)
    else
      release()
    end
  end

  defp modules_in(app), do: Enum.sort(beams(Path.join(app, "ebin")))

  # Where the image may hold a release: as Beamyard makes one, and as Mix does.
  defp releases do
    build = Mix.Project.build_path()
    [Path.join(root(), "_build/release") | Path.wildcard(Path.join(build, "rel/*"))]
  end

  defp released_apps(app),
    do: Enum.flat_map(releases(), &Path.wildcard(Path.join(&1, "lib/#{app}-*")))

  defp released_protocols,
    do: Enum.flat_map(releases(), &Path.wildcard(Path.join(&1, "releases/*/consolidated")))

  defp released(beam, folders) do
    with path when is_binary(path) <-
           Enum.find(for(f <- folders, do: f <> "/" <> beam), &File.exists?/1) do
      {_, _, _, file} = info(path)
      {path, file}
    end
  end

  # What a node reads when it starts is in the release, too: it is made again.
  defp release do
    whole_baseline()

    for root <- releases(),
        rel <- Enum.take(Path.wildcard(Path.join(root, "releases/*/*.rel")), 1) do
      name = Path.basename(rel, ".rel")
      named = for {n, _} <- Mix.Project.config()[:releases] || [], to_string(n) == name, do: name
      Mix.Task.rerun("release", named ++ ["--quiet", "--overwrite", "--path", root])
    end
  end

  defp copy(from, to) do
    have = walk(to, [], %{})
    want = walk(follow(from), [], %{})
    here = for {path, _} <- want, do: Path.relative_to(path, follow(from))

    for path <- here, source = Path.join(from, path), target = Path.join(to, path) do
      if not is_map_key(have, target) or not same?(source, target) do
        File.mkdir_p!(Path.dirname(target))
        File.cp!(source, target)
      end
    end

    for {path, _} <- have, Path.relative_to(path, to) not in here, do: File.rm(path)
  end

  # A release's code is stripped of what it does not need to run.
  defp same?(a, b) do
    if String.ends_with?(a, ".beam"),
      do: elem(info(a), 1) == elem(info(b), 1),
      else: md5(a) == md5(b)
  end

  defp follow(path) do
    case File.read_link(path) do
      {:ok, target} -> Path.expand(target, Path.dirname(path))
      _ -> path
    end
  end

  ## The tree

  # What the image holds: `{the project's own files, the others}`. The first is looked
  # at before anything is put in. The others are many, and only what restarts nodes
  # changes them: they are looked at before that, and are `{:later, time}` until then.
  defp baseline do
    case :persistent_term.get({__MODULE__, :baseline}, nil) || remember("image", nil) do
      nil ->
        time = System.os_time(:second)
        keep_baseline({summed(walk_project(false)), {:later, time}})

      found ->
        :persistent_term.put({__MODULE__, :baseline}, found)
        found
    end
  end

  defp whole_baseline do
    case baseline() do
      {own, {:later, time}} ->
        # What was written since is not of the image: the project's own new files, which
        # have a time of tick/0, and whatever is later than the first look.
        new = walk_project(false)

        others =
          for {path, {:regular, mtime, _, _}} = file <- walk_project(true),
              not is_map_key(own, path) and not is_map_key(new, path) and mtime < time,
              into: %{},
              do: file

        {own, others} = keep_baseline({own, summed(others)})
        Map.merge(others, own)

      {own, others} ->
        Map.merge(others, own)
    end
  end

  defp keep_baseline(found) do
    keep("image", found)
    :persistent_term.put({__MODULE__, :baseline}, found)
    found
  end

  defp summed(files) do
    for {path, {:regular, mtime, size, _}} <- files,
        into: %{},
        do: {path, {mtime, size, md5(path)}}
  end

  # Of what a first look at the project's own files leaves out.
  defp dependency?(path), do: Enum.any?(skipped(), &String.starts_with?(path, &1 <> "/"))

  defp walk_project(deep) do
    build = Mix.Project.build_path()
    files = walk(root(), if(deep, do: [], else: skipped()), %{})

    if deep do
      walk(Path.join(root(), "_build"), [], walk(build, [], files))
    else
      folders =
        for(app <- project_apps(), do: Path.join([build, "lib", to_string(app)])) ++
          [Mix.Project.consolidation_path()] ++
          for(app <- project_apps(), f <- released_apps(app), do: f) ++
          for(root <- releases(), do: Path.join(root, "releases"))

      Enum.reduce(folders, files, &walk(&1, [], &2))
    end
  end

  defp skipped,
    do: [Path.expand(Mix.Project.deps_path()), Path.expand("_build"), Path.join(root(), "_build"), Mix.Project.build_path()]

  # Where the project is one of a larger folder, that one: paths lead to others in it.
  defp root do
    cwd = File.cwd!()
    if @project != ".", do: String.replace_suffix(cwd, "/" <> @project, ""), else: cwd
  end

  # Links are not followed: _build/…/priv is one to the source.
  defp walk(folder, skip, acc) do
    case :prim_file.list_dir(folder) do
      {:ok, names} ->
        Enum.reduce(names, acc, fn name, acc ->
          name = to_string(name)
          path = folder <> "/" <> name

          case :file.read_link_info(path, [:raw, time: :posix]) do
            {:ok, stat} -> entry(elem(stat, 2), stat, name, path, skip, acc)
            _ -> acc
          end
        end)

      _ ->
        acc
    end
  end

  defp entry(:directory, _, name, path, skip, acc),
    do: if(name in @never or path in skip, do: acc, else: walk(path, skip, acc))

  defp entry(:regular, stat, _, path, _, acc),
    do:
      Map.put(
        acc,
        path,
        {:regular, elem(stat, 5), elem(stat, 1), Bitwise.band(elem(stat, 7), 0o777)}
      )

  defp entry(_, _, _, _, _, acc), do: acc

  defp owner(path) do
    {:ok, stat} = :file.read_file_info(path, [:raw, time: :posix])
    {elem(stat, 12), elem(stat, 13)}
  end

  defp md5(path), do: :erlang.md5(File.read!(path))

  # Applications whose code is in the project's folder.
  defp project_apps do
    own =
      case Mix.Project.apps_paths() do
        nil -> List.wrap(Mix.Project.config()[:app])
        paths -> Map.keys(paths)
      end

    Enum.uniq(own ++ for(dep <- Mix.Dep.cached(), not dep.scm.fetchable?(), do: dep.app))
  end

  ## Time

  defp tick do
    time = clock() + 1
    if (ahead = time - System.os_time(:second)) > 0, do: Process.sleep(1000 * ahead)
    :persistent_term.put({__MODULE__, :time}, time)
    time
  end

  defp clock do
    with nil <- :persistent_term.get({__MODULE__, :time}, nil) do
      now = System.os_time(:second)

      time =
        for {_, {:regular, mtime, _, _}} <- walk_project(false), mtime <= now, reduce: 0 do
          latest -> max(latest, mtime)
        end

      :persistent_term.put({__MODULE__, :time}, time)
      time
    end
  end

  # Sets what a compilation wrote back to the time that it was for. Files are looked
  # at once: on some engines' disks each look takes 0.1 ms.
  defp settle(files) do
    time = clock()

    for {path, {:regular, mtime, size, mode}} <- files, into: %{} do
      if mtime > time, do: File.touch!(path, time)
      {path, {:regular, min(mtime, time), size, mode}}
    end
  end

  ## Memory

  defp remember(name, default) do
    case File.read(Path.join(@memory, name)) do
      {:ok, binary} -> :erlang.binary_to_term(binary)
      _ -> default
    end
  end

  defp keep(name, term) do
    File.mkdir_p!(@memory)
    path = Path.join(@memory, name)
    File.write!(path <> "~", :erlang.term_to_binary(term))
    File.rename!(path <> "~", path)
  end

  # The VM ends by itself when nobody has asked it for a while; see the command
  # that started it.
  defp awake do
    with pid when is_pid(pid) <- Process.whereis(:beamyard_idle),
         do: send(pid, {:awake, @minutes * 60_000})
  end
end
