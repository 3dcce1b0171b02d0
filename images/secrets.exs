# Prints ["KEY","file"] for each file of a compiled project that holds the value of an
# environment variable: in a BEAM file also where its chunks are compressed.
[root | keys] = System.argv()

texts = fn path, binary ->
  with ".beam" <- Path.extname(path),
       {:ok, _, chunks} <- :beam_lib.all_chunks(binary) do
    for {name, data} <- chunks do
      case {name, data} do
        {~c"LitT", <<0::32, rest::binary>>} -> rest
        {~c"LitT", <<_::32, rest::binary>>} -> :zlib.uncompress(rest)
        {_, <<131, _::binary>>} -> data |> :erlang.binary_to_term() |> :erlang.term_to_binary()
        _ -> data
      end
    end
  else
    _ -> [binary]
  end
end

for path <- Path.wildcard(root <> "/**/_build/**", match_dot: true),
    match?({:ok, %{type: :regular}}, File.lstat(path)),
    key <- keys,
    value = System.fetch_env!(key),
    Enum.any?(texts.(path, File.read!(path)), &(:binary.match(&1, value) != :nomatch)) do
  IO.puts(~s(["#{key}","#{Path.relative_to(path, root)}"]))
end
