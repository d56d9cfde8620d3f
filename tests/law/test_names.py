"""Names in zones: letters as Doc 9303 spells them, and which typed names can be the one in a zone (X3)."""

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.law.names import (
    NAME_LENGTH_MAX,
    Agreement,
    Names,
    can_be_same,
    names_agree,
    names_of,
    spelt,
    ways_to_spell,
)

from .mrz_specimens import CYRILLIC, LATIN, words

AGREES, DIFFERS, CANNOT_TELL = Agreement


@pytest.mark.parametrize(("ways", "letters"), [*LATIN.items(), *CYRILLIC.items()])
def test_every_letter_is_spelt_as_doc_9303_recommends(ways: str, letters: str) -> None:
    for letter in letters:
        recommended = ways.split(" or ")
        assert spelt(letter) == recommended[0]
        assert spelt(letter.lower()) == recommended[0]
        for way in recommended:
            assert names_agree(letter, Names((way,))) is AGREES


@pytest.mark.parametrize(
    ("field", "primary", "secondary", "is_cut"),
    [
        ("ERIKSSON<<ANNA<MARIA<<<<", ["ERIKSSON"], ["ANNA", "MARIA"], False),
        ("VAN<DER<MUELLEN<<MARTIN<", ["VAN", "DER", "MUELLEN"], ["MARTIN"], False),
        ("SATRIYA<SUDARPA<<<<<<<<<", ["SATRIYA", "SUDARPA"], [], False),
        ("NILAVADHANANANDA<<CHAYAPA<DEJTHAMRONG<K", ["NILAVADHANANANDA"], ["CHAYAPA", "DEJTHAMRONG", "K"], True),
        ("<<<KEIKO<INOUE<<<", ["KEIKO", "INOUE"], [], False),
        ("<<<<", [], [], False),
    ],
)
def test_a_name_field_is_divided(field: str, primary: list[str], secondary: list[str], is_cut: bool) -> None:
    assert names_of(field) == Names(tuple(primary), tuple(secondary), is_cut)


# Doc 9303-4, 4.2.3, and 9303-7, 4.2.3 and 7.2.3: the examples, as they are typed and as they are printed.
EXAMPLES = [
    ("Anna Maria Eriksson", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"),
    ("Deborah Heng Ming Lo", "HENG<<DEBORAH<MING<LO<<<<<<<<<<<<<<<<<<"),
    ("Susie Margaret Smith-Jones", "SMITH<JONES<<SUSIE<MARGARET<<<<<<<<<<<<"),
    ("Enya Siobhan O'Connor", "OCONNOR<<ENYA<SIOBHAN<<<<<<<<<<<<<<<<<<"),
    ("Martin Van Der Muellen", "VAN<DER<MUELLEN<<MARTIN<<<<<<<<<<<<<<<<"),
    ("Huda Muhammad Jawad Al-Basri", "AL<BASRI<<HUDA<MUHAMMAD<JAWAD<<<<<<<<<<"),
    ("Jose Ramon Vilarchao Fernandez", "VILARCHAO<FERNANDEZ<<JOSE<RAMON<<<<<<<<"),
    ("Arkfreith", "ARKFREITH<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<"),
    ("Satriya Sudarpa", "SATRIYA<SUDARPA<<<<<<<<<<<<<<<<<<<<<<<<"),
    ("Nilavadhanananda Chayapa Dejthamrong Krasuang", "NILAVADHANANANDA<<CHAYAPA<DEJTHAMRONG<K"),
    ("Nilavadhanananda Arnpol Petch Charonguang", "NILAVADHANANANDA<<ARNPOL<PETCH<CHARONGU"),
    ("Jonathon Warren Trevor Papandropoulous", "PAPANDROPOULOUS<<JONATHON<WARREN<TREVOR"),
    ("Nilavadhanananda Chayapa Dejthamrong Krasuang", "NILAVADHANANANDA<<CHAYAPA<DEJ<K"),
    ("Nilavadhanananda Arnpol Petch Charonguang", "NILAVADHANANANDA<<ARNP<PE<CHARO"),
    ("Stephen Trevor Papandropoulous", "PAPANDROPOULOUS<<STEPHEN<TREVOR"),
    *(
        ("Dingo Potoroo Bennelong Wooloomooloo Warrandyte Warnambool", field)
        for field in (
            "BENNELONG<WOOLOOMOOLOO<WARRANDYTE<W<<DI",
            "BENNELONG<WOOLOOM<WARRAND<WARNAM<<DINGO",
            "BENNEL<WOOLOO<WARRAN<WARNAM<<DINGO<POTO",
            "BENNELONG<WOOLOOMOOLOO<WAR<W<<D",
            "BENNELONG<WOOLOOM<WAR<WA<<DINGO",
            "BENN<WOOL<WARR<WARN<<DINGO<POTO",
        )
    ),
]


@pytest.mark.parametrize(("typed", "field"), EXAMPLES)
def test_the_examples_of_doc_9303(typed: str, field: str) -> None:
    assert len(field) in (39, 31)
    assert names_agree(typed, names_of(field)) is AGREES
    assert names_agree("Someone Else", names_of(field)) is DIFFERS
    assert names_agree(f"{typed}son", names_of(field.ljust(40, "<"))) is DIFFERS  # not cut: all of it is there


LANGUAGES = [
    ("Jürgen Müller", "MUELLER<<JUERGEN", AGREES),
    ("Jürgen Müller", "MULLER<<JURGEN", AGREES),
    ("Jürgen Müller", "MUXXLLER<<JUXXRGEN", AGREES),
    ("Juergen Mueller", "MUELLER<<JUERGEN", AGREES),
    ("Jurgen Muller", "MUELLER<<JUERGEN", DIFFERS),  # nothing says that an umlaut was meant
    ("Térèsa Cañon", "CANXXON<<TERESA", AGREES),
    ("Térèsa Cañon", "CANON<<TERESA", AGREES),
    ("Søren Ærø", "AEROE<<SOEREN", AGREES),
    ("Åsa Öberg", "OEBERG<<AASA", AGREES),
    ("Åsa Öberg", "OBERG<<ASA", AGREES),
    ("Weiß, Großmann", "GROSSMANN<<WEISS", AGREES),
    ("Þórður Guðmundsson", "GUDMUNDSSON<<THORDUR", AGREES),
    ("Łukasz Żółć", "ZOLC<<LUKASZ", AGREES),
    ("Dvořáková, Jiřina", "DVORAKOVA<<JIRINA", AGREES),
    ("Işık Şükrü Çağlar", "CAGLAR<<ISIK<SUKRU", AGREES),
    ("İnönü", "INONU", AGREES),
    ("i\u0307nönü", "INOENUE", AGREES),
    ("Nguyễn Thị Ánh Đào", "NGUYEN<<THI<ANH<DAO", AGREES),
    ("Ștefan Țepeș", "TEPES<<STEFAN", AGREES),
    ("Əliyev Orxan", "ALIYEV<<ORXAN", AGREES),
    ("Дмитрий Щёголев", "SHCHEGOLEV<<DMITRII", AGREES),
    ("Дмитрий Щёголев", "SHCHEGOLEV<<DMITRIY", AGREES),
    ("Юлия Яковлева", "IAKOVLEVA<<IULIIA", AGREES),
    ("Юлия Яковлева", "YAKOVLEVA<<YULIYA", AGREES),
    ("Наталья Объедкова", "OBIEEDKOVA<<NATALIA", AGREES),
    ("Сергій Їжак", "YIZHAK<<SERHII", AGREES),
    ("Олег Шевченко", "SHEVCHENKO<<OLEH", AGREES),
    ("Ђорђе Јовановић", "JOVANOVIC<<DORDE", AGREES),
    ("Жељко Чавић", "CAVIC<<ZELJKO", AGREES),
    ("Ѓорѓи Ќосев", "KJOSEV<<GJORGJI", AGREES),
    ("Щерю Търнев", "TARNEV<<SHTERYU", AGREES),
    ("Алёна Иванова", "PETROVA<<ALENA", DIFFERS),
    ("Әсел Қайрат", "KAIRAT<<ASEL", CANNOT_TELL),  # Kazakh letters: no table
    ("D’Artagnan, Charles", "DARTAGNAN<<CHARLES", AGREES),
    ("Oʻtkir", "OTKIR", AGREES),
    ("ＺＨＡＮＧ　ＳＡＮ", "ZHANG<<SAN", AGREES),
    ("Zhang San", "ZHANG<<SAN", AGREES),
    ("ZHANG/SAN", "ZHANG<<SAN", AGREES),
    ("zhang xiao ming", "ZHANG<<XIAOMING", AGREES),
    ("Hong Gil-dong", "HONG<<GILDONG", AGREES),
    ("HongGilDong", "HONG<<GIL<DONG", AGREES),
    ("张三", "ZHANG<<SAN", CANNOT_TELL),
    ("张三 Zhang San", "ZHANG<<SAN", CANNOT_TELL),
    ("김길동", "KIM<<GILDONG", CANNOT_TELL),
    ("やまだ", "YAMADA", CANNOT_TELL),
    ("Γιώργος", "GIORGOS", CANNOT_TELL),
    ("محمد", "MUHAMMAD", CANNOT_TELL),
    ("", "ZHANG<<SAN", CANNOT_TELL),
    ("🙂 - '", "ZHANG<<SAN", CANNOT_TELL),
    ("Zhang 3", "ZHANG<<SAN", CANNOT_TELL),
]


@pytest.mark.parametrize(("typed", "field", "agreement"), LANGUAGES)
def test_names_across_languages(typed: str, field: str, agreement: Agreement) -> None:
    assert names_agree(typed, names_of(field + "<<")) is agreement


@pytest.mark.parametrize(
    ("typed", "agreement"),
    [
        ("Anna Maria Eriksson", AGREES),
        ("ERIKSSON, ANNA MARIA", AGREES),
        ("maria anna eriksson", AGREES),
        ("Anna Eriksson", AGREES),
        ("Annamaria Eriksson", AGREES),
        ("Dr. Anna Eriksson", AGREES),
        ("Anna Eriksson Jr.", AGREES),
        ("Maria Eriksson", DIFFERS),
        ("Eriksson", DIFFERS),
        ("Anna Maria", DIFFERS),
        ("Anna Sofia Eriksson", DIFFERS),
        ("Anna Maria Sofia Eriksson", DIFFERS),
        ("Ann Eriksson", DIFFERS),
        ("A. Eriksson", DIFFERS),
        ("Dr. Jr.", DIFFERS),
    ],
)
def test_what_may_be_left_out(typed: str, agreement: Agreement) -> None:
    assert names_agree(typed, names_of("ERIKSSON<<ANNA<MARIA<<")) is agreement


def test_initials_that_look_like_a_title_are_none() -> None:
    assert names_agree("DR", names_of("R<<D<")) is AGREES


def test_a_title_that_the_issuer_prints_is_part_of_the_name() -> None:
    assert names_agree("John Smith III", names_of("SMITH<<JOHN<III<")) is AGREES
    assert names_agree("John Smith", names_of("SMITH<<JOHN<III<")) is AGREES


@given(st.lists(words, min_size=1, max_size=3), st.lists(words, max_size=3), st.data())
def test_any_order_and_any_joining_agrees(primary: list[str], secondary: list[str], data: st.DataObject) -> None:
    kept = secondary[:1] + [word for word in secondary[1:] if data.draw(st.booleans())]
    typed = data.draw(st.permutations(primary + kept))
    joint = data.draw(st.sampled_from([" ", "-", ""]))
    assert names_agree(joint.join(typed), Names(tuple(primary), tuple(secondary))) is AGREES


@given(st.lists(words, min_size=1, max_size=3), st.lists(words, max_size=3), words)
def test_a_name_too_much_differs(primary: list[str], secondary: list[str], more: str) -> None:
    assert names_agree(" ".join([*primary, *secondary, more]), Names(tuple(primary), tuple(secondary))) is DIFFERS


@pytest.mark.parametrize(
    ("one", "other", "can_be"),
    [
        ("ERIKSSON<<ANNA<MARIA<", "ERIKSSON<<ANNA<MARIA<", True),
        ("ERIKSSON<<ANNA<MARIA<", "ERIKSSON<<ANNA<", True),
        ("ERIKSSON<<ANNA<", "ERIKSSON<ANNA<", True),
        ("ERIKSSON<<ANNA<MARIA<", "ERIKSSON<<EVA<MARIA<", False),
        ("BENNELONG<WOOLOOMOOLOO<WARRANDYTE<W<<DI", "BENNELONG<WOOLOOM<WAR<WA<<DINGO", True),
        ("BENNELONG<WOOLOOMOOLOO<WARRANDYTE<W<<DI", "BENN<WOOL<WARR<WARN<<DINGO<POTO", True),
        ("BENNELONG<WOOLOOMOOLOO<WARRANDYTE<W<<DI", "BENN<WOOL<WARR<WARN<<PINGO<POTO", False),
        ("NILAVADHANANANDA<<CHAYAPA<DEJTHAMRONG<<", "NILAVADHANANANDA<<CHAYAPA<DEJ", True),
        ("NILAVADHANANANDA<<ARNPOL<PETCH<<<<<<<<<", "NILAVADHANANANDA<<CHAYAPA<DEJ", False),
    ],
)
def test_two_documents_of_one_person(one: str, other: str, can_be: bool) -> None:
    assert can_be_same(names_of(one), names_of(other)) is can_be
    assert can_be_same(names_of(other), names_of(one)) is can_be


def test_spelling_for_the_zone() -> None:
    assert spelt("Þórdís Ægisdóttir-Größe") == "THORDIS AEGISDOTTIR GROESSE"
    assert spelt("張") is None
    assert ways_to_spell("張") == ()


def test_a_name_that_is_no_name_is_not_compared() -> None:
    assert names_agree("A" * (NAME_LENGTH_MAX + 1), names_of("A<")) is CANNOT_TELL
    assert names_agree("A" * 10_000, names_of("A<")) is CANNOT_TELL


CROWDED = [
    ("<".join("ABCDEFGHIJKLMNOPQRST"), " ".join("ABCDEFGHIJKLMNOPQRST" * 5)[:NAME_LENGTH_MAX]),
    ("<".join("ABCDEFGHIJKLMNOPQRST"), " ".join("TSRQPONMLKJIHGFEDCBX" * 5)[:NAME_LENGTH_MAX]),
    ("A<AA<AAA<AAAA<AAAAA<AAAAAA<AAAAAAA<AAAB", "A" * NAME_LENGTH_MAX),
    ("A<AA<AAA<AAAA<AAAAA<AAAAAA<AAAAAAA<AAAA", " ".join(["AAA"] * 50)),
    ("UE<UUE<UEU<UEUE<UUUU<UEUEUE<UUUUUUE<UUU", "Ü" * NAME_LENGTH_MAX),
    ("U<UE<UUE<UEU<UEUE<UUUU<UEUEUE<UUUU<<<<<", "ÜU " * 60),
]


@pytest.mark.parametrize(("field", "typed"), CROWDED)
def test_no_name_takes_long(field: str, typed: str) -> None:
    began = perf_counter()
    names_agree(typed, names_of(field))
    assert perf_counter() - began < 2


@given(st.text(max_size=NAME_LENGTH_MAX + 10), st.text("AB<", max_size=39))
def test_any_typed_name_has_an_answer(typed: str, field: str) -> None:
    assert names_agree(typed, names_of(field)) in Agreement
