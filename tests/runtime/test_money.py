"""Exchange rates: what a file may hold, and what they convert."""

from pathlib import Path

import pytest

from runtime.money import Rates, read_rates
from runtime.settings import StartupError


def test_amounts_convert_by_what_a_unit_of_each_currency_is_worth(tmp_path: Path) -> None:
    path = tmp_path / "rates.json"
    path.write_text('{"CNY": 1, "USD": 7, "EUR": 8.4}')
    rates = read_rates(path)
    assert rates.factor("USD", "CNY") == 7
    assert rates.factor("EUR", "USD") == pytest.approx(1.2)
    assert rates.factor("USD", "JPY") is None


def test_without_rates_a_currency_is_worth_itself_alone() -> None:
    assert read_rates(None).factor("USD", "USD") == 1
    assert Rates().factor("USD", "CNY") is None


@pytest.mark.parametrize("text", ['{"usd": 7}', '{"USD": 0}', '{"USD": "seven"}', "[7]", "", '{"USD": NaN}'])
def test_a_file_of_anything_else_stops_the_start(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rates.json"
    path.write_text(text)
    with pytest.raises(StartupError, match="holds no exchange rates"):
        read_rates(path)


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot be read"):
        read_rates(tmp_path / "none.json")
