# The modules are loaded, and not in a folder of the code path: since Elixir 1.15, Mix removes
# folders that are not of the project's dependencies. So a module of that name in the project must
# be found here.
root = System.get_env("MIX_BUILD_ROOT") || "_build"
built = System.get_env("MIX_BUILD_PATH") || Path.join(root, System.fetch_env!("MIX_ENV"))

if Path.wildcard(Path.join(built, "lib/*/ebin/Elixir.Beamyard.beam")) == [] do
  Code.compile_file(System.fetch_env!("BEAMYARD_MODULE"))
else
  IO.puts(:stderr, "the project has a module Beamyard, so its tests cannot break the cluster")
end

# A call to a node that is not connected would look its name up.
await = fn await, tries ->
  node = :"beamyard@beamyard.invalid"

  answers =
    try do
      node in Node.list(:hidden) and match?({:ok, _}, GenServer.call({:beamyard, node}, :nodes))
    catch
      :exit, _ -> false
    end

  cond do
    answers ->
      :ok

    tries == 0 ->
      IO.puts(:stderr, "the beamyard command is not connected, so the tests cannot break the cluster")

    true ->
      Process.sleep(20)
      await.(await, tries - 1)
  end
end

await.(await, 500)
