# Its bindings: code, and file where the code has a name.
asked = self()
asker = Process.group_leader()

spawn(fn ->
  gone = Process.monitor(asker)
  done = Process.monitor(asked)

  receive do
    {:DOWN, ^gone, _, _, _} -> Process.exit(asked, :kill)
    {:DOWN, ^done, _, _, _} -> :ok
  end
end)

file = Keyword.get(binding(), :file, "rpc")

try do
  {value, _} = Code.eval_string(code, [], file: file)
  {:ok, inspect(value, pretty: true, limit: :infinity, printable_limit: :infinity, width: 98)}
catch
  kind, reason ->
    # What evaluates is of no interest, this script neither; the other file is.
    ours? = fn
      {_, :__FILE__, _, at} -> at[:file] != String.to_charlist(file)
      frame -> elem(frame, 0) in [:erl_eval, :elixir, Code, Module.ParallelChecker, :rpc, :erpc]
    end

    trace = Enum.reject(__STACKTRACE__, ours?)
    {:error, Exception.format_banner(kind, reason, trace), Exception.format_stacktrace(trace)}
end
