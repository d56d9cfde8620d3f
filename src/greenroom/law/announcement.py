# ruff: noqa: E501  # the announcement's lines are kept whole, as they stand there
"""The announcement: the platform's text, line by line, the one authority for what must be verified."""

from dataclasses import dataclass
from typing import Final

from greenroom.law.terms import Language


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the announcement, as it stands there."""

    number: str
    """Such as L3."""
    language: Language
    """zh or en."""
    text: str
    """The text."""


def line(number: str) -> Line:
    """Return the line called `number`, such as L3. Raises KeyError for a line that the announcement does not have."""
    return BY_NUMBER[number]


# fmt: off
LINES: Final = (
    Line("L1", "zh", "- 规则公示:2021年9月1日 - 2021年9月7日(美西时间)"),
    Line("L2", "zh", "- 情况1:中国籍的商家主播账号:按主播中控台系统提示并完成淘宝APP端的认证即可;(大部分跨境商家自播情况)"),
    Line("L3", "zh", "- 情况1.1:中国籍的商家主播账号,但主播为非中国籍,且主播人在中国:需要在创建直播页面,进行外籍主播(在中国地区工作)的信息认证,包括工作签证照片、护照照片等;(大部分跨境商家店铺代播情况)"),
    Line("L4", "zh", "- 情况1.2:中国籍的商家主播账号,但主播为非中国籍,且主播人在海外:需要在创建直播页面,按系统提示,提供主播姓名、国籍和邮箱;(大部分本地主播进行跨境商家店铺代播情况)"),
    Line("L5", "zh", "- 情况2:非中国籍的商家主播,主播在境外:只需按系统提示,提供主播姓名、国籍和邮箱;(大部分本地商家直播情况)"),
    Line("L6", "zh", "- 在创建/编辑直播间信息页面“参演主播”里选择实名认证。一场直播里如果有多位主播出镜,则需要所有出镜主播都进行实名认证。"),
    Line("L7", "zh", "- 情况1:非中国籍的达人主播,主播在中国境外直播:只需提按系统提示,提供姓名、国籍和邮箱;(大部分国家站本地主播的情况)"),
    Line("L8", "zh", "- 情况2:非中国籍的达人主播,主播在中国境内直播:需按主播中控台系统提示,进行外籍主播(在中国地区工作)的信息认证,包括工作签证照片、护照照片等;(大部分在中国境内的非中国籍主播情况)"),
    Line("L9", "zh", "- 情况3:中国籍的达人主播:按主播中控台系统提示并完成淘宝APP端的认证即可。"),
    Line("L10", "zh", "- 一场直播里如果有多位主播出镜,则需要所有出镜主播都进行实名认证。在一直播账号下认证过的多位主播信息会被系统记录,再次创建直播间时可见其他主播名字,如下图所示。"),
    Line("L11", "zh", "- 上线之后如没有按要求完成认证,则无法登陆直播后台进行正常开播。"),
    Line("L12", "zh", "- 考虑到现有直播排期与认证上线的时间差问题,只要提交了认证相关信息即可继续开播。上传信息不符合要求的会后置进行处理,重新上传相应信息。"),
    Line("L13", "zh", "- 第一次直播后台首页认证过后,主播之后每次编辑新直播间时都需认证。"),
    Line("L14", "zh", "- 多位主播直播时:一场直播里如果超过一位主播出镜,则需要所有出镜主播都进行实名认证。"),
    Line("L15", "zh", "- 一个主播可以进行重复认证,比如官方账号是一个账号对应多个主播,比如一个主播为多个商家账号直播。"),
    Line("L16", "en", "Anchor authentication background:"),
    Line("L17", "en", "According to the “guidance on strengthening the standardized Management of Network Live broadcast” jointly issued by the Ministry of Informatization, the Ministry of Public Security, the Ministry of Culture and Tourism, the State Administration of Radio and Television, and the State Internet Information Office and the State Administration of Radio, Film and Television issued by the State Administration of Radio, Film and Television, in order to further strengthen the standardized management of the network live broadcast industry, in order to further strengthen the standardized management of the network live broadcast industry. Webcast requires the implementation of anchors’ real name system."),
    Line("L18", "en", "Considering that the above regulations are issued by domestic regulators, AE anchors’ real name authentication (including real name verification + face recognition) is mainly for Chinese anchors and non-Chinese anchors working in China. Non-Chinese nationality anchors working outside China only need to provide name (required), nationality (required), mailbox (required)."),
    Line("L19", "en", "Live backend console:https://live.aliexpress.com/livebackend/liveRoomList.htm"),
    Line("L20", "en", "Anchor authentication implementation timeline:"),
    Line("L21", "en", "Rules Publicity: August 31, 2021-September 6, 2021 (PST)."),
    Line("L22", "en", "Official Launch: Waiting Notification"),
    Line("L23", "en", ">Seller’s account:"),
    Line("L24", "en", "Case 1: Seller has Chinese nationality, follow the prompts of “Live backend console” and complete the authentication of Taobao app."),
    Line("L25", "en", "Case 1.1: Seller has Chinese nationality, but the anchor is non-Chinese nationality, and the anchor is in China: need to authenticate the information of anchors (working in China) on the creation of live page, including work visa photos, passport photos, etc."),
    Line("L26", "en", "Case 1.2: Seller has Chinese nationality, but the anchor is non-Chinese nationality, and the anchor is in NOT China: need to authenticate the information of anchors by providing anchor’s name, nationality and mailbox."),
    Line("L27", "en", "Case 2: Seller is non-Chinese nationality: you only need to provide your name, nationality and email."),
    Line("L28", "en", ">Blogger’s account:"),
    Line("L29", "en", "Case 1: for blogger anchors is non-Chinese nationality, and livestream is done outside of China: you only need to follow the system prompt to provide name, nationality and email;"),
    Line("L30", "en", "Case 2: for blogger anchors is non-Chinese nationality, but the livestream is done in China: it is necessary to authenticate the information of anchors (working in China) according to the prompts of the “Live backend console”, including work visa photos, passport photos, etc."),
    Line("L31", "en", "Case 3: for Chinese nationality anchors: follow the prompts of the”Live backend console” and complete the authentication of Taobao app."),
    Line("L32", "en", "[Impact of incomplete authentication]"),
    Line("L33", "en", "1. If the authentication is not completed as required after the launch, the anchor cannot log in to the backend to start broadcasting."),
    Line("L34", "en", "2.Considering the timing of the existing live scheduling and authentication, you can start broadcasting as long as the authentication-related information is submitted. Post-processing of the meeting where the uploaded information does not meet the requirements."),
)
# fmt: on

BY_NUMBER: Final = {line.number: line for line in LINES}
