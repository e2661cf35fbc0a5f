from halfstep.markdown import markdown_table


def test_a_table_has_a_rule_below_its_head_and_a_line_a_row():
    assert markdown_table(["", "n"], [["a", "1"], ["b", ""]]) == "| | n |\n| --- | --- |\n| a | 1 |\n| b | |\n"
    assert markdown_table(["name"], []) == "| name |\n| --- |\n"


def test_a_cell_is_shown_as_it_stands_and_never_obeyed():
    table = markdown_table(["n"], [["a|b\n<img src=x>[c](d)\x1b[2J`*"]])
    assert table.splitlines()[2] == r"| a\|b\\n\<img src=x>[c]\(d)\\x1b[2J\`\* |"
    assert len(table.splitlines()) == 3
