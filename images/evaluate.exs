# Prints what the mix.exs of a folder says, as one line of JSON: the last one on
# stdout. Mix is loaded, and no dependency is: neither Hex nor a network is needed.
# It is run on Elixir 1.14 and later.
#
# A project that is not there is "missing". One whose mix.exs raises is an "error",
# with what can be done about it as data: the variable, the command or the file. The
# second argument is a file that is there once git was asked for.
defmodule Beamyard.Evaluate do
  def run([dir, git_used]) do
    Mix.start()
    for {fun, 0} <- [append_archives: 0, append_paths: 0], function_exported?(Mix.Local, fun, 0), do: apply(Mix.Local, fun, [])
    dir = Path.expand(dir)
    Process.put(:projects, [])
    Process.put(:missing, [])

    error =
      try do
        File.cd!(dir)
        # Modules of mix.exs, such as compilers of the project's own, stay loaded.
        Code.compile_file("mix.exs")
        if Mix.Project.get() == nil, do: Mix.raise("mix.exs has no Mix project: no module in it says `use Mix.Project`")
        project(dir, true)
        nil
      catch
        kind, reason -> failure(kind, reason, __STACKTRACE__, dir)
      end

    projects = Enum.reverse(Process.get(:projects))
    answer = %{
      elixir: System.version(),
      projects: projects,
      missing: Enum.uniq(Enum.reverse(Process.get(:missing))),
      error: error,
      hex: Code.ensure_loaded?(Hex),
      asked_git: File.exists?(git_used),
      tools: for(t <- ~w(make gcc g++ git), System.find_executable(t) != nil, do: t)
    }

    IO.puts(["\n", json(answer)])
  end

  # The project that Mix has at hand, and those that it depends on by a path. "main" is
  # said of the project that was asked for and of an umbrella's applications, which are
  # built as it is: for this MIX_ENV, optional dependencies included.
  defp project(dir, main) do
    config = Mix.Project.config()
    named = for d <- config[:deps] || [], dep = dep(d), do: dep
    tests = for path <- List.wrap(config[:test_paths] || "test"), main and config[:apps_path] == nil, do: Path.expand(path, dir)
    {deps, others} = Enum.split_with(named, &wanted?(&1, main))

    found = %{
      dir: dir,
      app: config[:app],
      main: main,
      umbrella: config[:apps_path] != nil,
      compilers: config[:compilers] || Mix.compilers(),
      releases: for({name, _} <- releases(config), do: name),
      files: for(key <- [:config_path, :lockfile], path = config[key], do: Path.expand(path, dir)),
      deps_path: Path.expand(config[:deps_path] || "deps", dir),
      build_path: Path.expand(config[:build_path] || "_build", dir),
      sources: for(key <- [:elixirc_paths, :erlc_paths, :erlc_include_path], path <- List.wrap(config[key]), do: Path.expand(path, dir)) ++ if(Mix.env() == :test, do: tests, else: []),
      tests: tests,
      has_tests: Enum.any?(tests, &File.exists?/1),
      unset: if(main, do: unset(config, dir), else: []),
      makefile: Enum.any?(~w(Makefile makefile GNUmakefile c_src), &File.exists?(Path.join(dir, &1))),
      other_hex: Enum.any?(others, &(elem(&1, 1) == :hex)),
      deps: for({app, kind, path, _} <- deps, do: %{app: app, kind: kind, path: path && Path.expand(path, dir)})
    }

    Process.put(:projects, [found | Process.get(:projects)])

    if found.umbrella do
      for {app, path} <- Mix.Project.apps_paths() || %{} do
        visit(app, Path.expand(path, dir), true, Mix.env())
      end
    end

    for {app, kind, path, opts} <- deps, kind in [:path, :umbrella] do
      path = Path.expand(path, dir)
      same = kind == :umbrella and main
      env = opts[:env] || if(same, do: Mix.env(), else: :prod)
      visit(app, path, same, env)
    end

    :ok
  end

  defp releases(config), do: if(Keyword.keyword?(config[:releases]), do: config[:releases], else: [])

  # Environment variables that are not set, and that `mix release` puts into its scripts
  # as an empty text: it evaluates these templates while the release is made.
  defp unset(config, dir) do
    named = if releases(config) == [], do: [{nil, []}], else: releases(config)

    for {name, opts} <- named,
        opts = if(is_function(opts, 0), do: opts.(), else: opts),
        folder = Path.expand(opts[:rel_templates_path] || "rel", dir),
        template <- ~w(env.sh.eex vm.args.eex remote.vm.args.eex),
        file = Path.join(folder, template),
        File.regular?(file),
        {variable, line} <- Enum.uniq(reads(template(file))),
        System.get_env(variable) == nil,
        do: %{release: name, file: file, line: line, env: variable}
  end

  defp template(file) do
    EEx.compile_string(File.read!(file), file: file)
  rescue
    # mix release complains of it.
    _ -> nil
  end

  # What is read without a default, and outside of a condition on it: {name, line}.
  defp reads({{:., _, [{:__aliases__, _, [:System]}, :get_env]}, meta, [name]}) when is_binary(name), do: [{name, meta[:line]}]
  defp reads({:||, _, [_, right]}), do: reads(right)
  defp reads({op, _, [_, _]}) when op in [:&&, :and, :or, :==, :!=, :in], do: []
  defp reads({:is_nil, _, [_]}), do: []
  defp reads({op, _, [condition, body]}) when op in [:if, :unless, :case, :->] do
    asked = for {name, _} <- tested(condition), do: name
    Enum.reject(reads(body), fn {name, _} -> name in asked end)
  end
  defp reads({left, _, right}), do: reads(left) ++ reads(right)
  defp reads({left, right}), do: reads(left) ++ reads(right)
  defp reads(list) when is_list(list), do: Enum.flat_map(list, &reads/1)
  defp reads(_), do: []

  defp tested(condition) do
    {_, found} =
      Macro.prewalk(condition, [], fn
        {{:., _, [{:__aliases__, _, [:System]}, :get_env]}, meta, [name | _]} = call, found when is_binary(name) -> {call, [{name, meta[:line]} | found]}
        other, found -> {other, found}
      end)

    found
  end

  defp visit(app, path, main, env) do
    cond do
      Enum.any?(Process.get(:projects), &(&1.dir == path)) ->
        :ok

      not File.dir?(path) ->
        Process.put(:missing, [path | Process.get(:missing)])

      not File.regular?(Path.join(path, "mix.exs")) ->
        # It is built by rebar3 or make.
        other = %{dir: path, app: nil, main: false, umbrella: false, compilers: [], releases: [], files: [], deps_path: Path.join(path, "deps"),
                  build_path: Path.join(path, "_build"), sources: [], other_hex: false, deps: [], makefile: File.exists?(Path.join(path, "Makefile"))}
        Process.put(:projects, [other | Process.get(:projects)])

      true ->
        before = Mix.env()
        Mix.env(env)

        try do
          Mix.Project.in_project(app, path, fn _ -> project(path, main) end)
        after
          Mix.env(before)
        end
    end
  end

  # What Mix takes as a dependency: {app, requirement, options}, of which one may be left out.
  defp dep({app, opts}) when is_list(opts), do: dep({app, nil, opts})
  defp dep({app, requirement}), do: dep({app, requirement, []})

  defp dep({app, _, opts}) when is_atom(app) and is_list(opts) do
    cond do
      opts[:in_umbrella] -> {app, :umbrella, opts[:path] || Path.join("..", to_string(app)), opts}
      is_binary(opts[:path]) -> {app, :path, opts[:path], opts}
      opts[:git] || opts[:github] -> {app, :git, nil, opts}
      true -> {app, :hex, nil, opts}
    end
  end

  # Anything else is for Mix to complain of.
  defp dep(_), do: nil

  defp wanted?({_, _, _, opts}, main) do
    (opts[:only] == nil or Mix.env() in List.wrap(opts[:only])) and
      (opts[:targets] == nil or Mix.target() in List.wrap(opts[:targets])) and
      (main or opts[:optional] != true)
  end

  defp failure(kind, reason, stack, dir) do
    text = Exception.format_banner(kind, reason, stack)

    at =
      Enum.find_value(stack, fn {_, _, _, info} ->
        file = to_string(info[:file] || "")
        path = Path.expand(file, dir)
        if file != "" and info[:line] && String.starts_with?(path, dir <> "/") and File.regular?(path), do: "#{Path.relative_to(path, dir)}:#{info[:line]}"
      end)

    known =
      case normalize(kind, reason, stack) do
        %{__struct__: System.EnvError, env: env} -> %{env: env}
        %File.Error{path: path} -> %{path: Path.expand(to_string(path))}
        %Code.LoadError{file: file} when is_binary(file) -> %{path: Path.expand(file)}
        %ErlangError{original: :enoent} -> %{command: command(stack)}
        _ -> %{}
      end

    Map.merge(%{text: text, at: at}, known)
  end

  defp normalize(:error, reason, stack), do: Exception.normalize(:error, reason, stack)
  defp normalize(_, _, _), do: nil

  defp command([{System, :cmd, [command | _], _} | _]) when is_binary(command), do: command
  defp command(_), do: nil

  defp json(nil), do: "null"
  defp json(b) when is_boolean(b), do: to_string(b)
  defp json(i) when is_integer(i), do: to_string(i)
  defp json(a) when is_atom(a), do: json(Atom.to_string(a))
  defp json(m) when is_map(m), do: ["{", Enum.intersperse(for({k, v} <- m, do: [json(k), ":", json(v)]), ","), "}"]
  defp json(l) when is_list(l), do: ["[", Enum.intersperse(Enum.map(l, &json/1), ","), "]"]

  defp json(s) when is_binary(s) do
    escaped =
      for <<c <- s>>, into: "" do
        if c < 0x20 or c in [?", ?\\, 0x7F], do: "\\u" <> String.pad_leading(Integer.to_string(c, 16), 4, "0"), else: <<c>>
      end

    [?", escaped, ?"]
  end
end

Beamyard.Evaluate.run(System.argv())
