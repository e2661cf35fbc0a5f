from halfstep.markdown import markdown_table


def test_a_table_has_a_rule_below_its_head_and_a_line_a_row():
    assert markdown_table(["", "n"], [["a", "1"], ["b", ""]]) == "| | n |\n| --- | --- |\n| a | 1 |\n| b | |\n"
    assert markdown_table(["name"], []) == "| name |\n| --- |\n"
