from plumbline.reporting.rendering import Safe, code, escape, table


def test_formatting_characters_and_tags_are_shown_as_they_are():
    assert escape("a*b_c|d<e>&`") == r"a\*b\_c\|d&lt;e&gt;&amp;\`"
    assert escape("![x](y)") == r"!\[x\](y)"
    assert escape("price $1") == r"price \$1"


def test_addresses_do_not_become_links():
    assert escape("https://evil.example www.evil me@evil") == (
        "https:&#47;&#47;evil.example www&#46;evil me&#64;evil"
    )


def test_white_space_of_every_kind_becomes_one_blank():
    assert escape("a\n\n# b\u2028c\x85d") == r"a \# b c d"


def test_the_blank_inside_a_number_stays():
    assert escape("12\u202f345") == "12\u202f345"


def test_text_that_is_safe_is_not_escaped_twice():
    assert escape(escape("a_b")) == r"a\_b"
    assert escape(Safe("**b**")) == "**b**"


def test_code_that_could_break_out_is_escaped_instead():
    assert code("fid/cnn") == "`fid/cnn`"
    assert code("a`b") == r"a\`b"
    assert code("<!-- x -->") == "&lt;!-- x --&gt;"
    assert code("") == ""


def test_a_table_keeps_its_shape_whatever_the_cells_say():
    text = table(("a", "b"), [("x|y\nz", 1), (Safe("**s**"), "")])
    assert text == "| a | b |\n| --- | --- |\n| x\\|y z | 1 |\n| **s** |  |"
