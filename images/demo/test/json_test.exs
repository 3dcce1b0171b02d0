defmodule Demo.JsonTest do
  use ExUnit.Case, async: true
  doctest Demo.Json

  test "what would break the text is escaped" do
    assert Demo.Json.encode(a: "say \"hi\"\\\n\tü") ==
             ~S({"a":"say \"hi\"\\\u000A\u0009ü"}) <> "\n"
  end

  test "what is no UTF-8 is replaced, and what follows it stays" do
    assert Demo.Json.encode(a: <<"x", 0xFF, "y">>) == ~s({"a":"x\uFFFDy"}\n)
  end
end
