"""Notices: what a person agrees to before anything sensitive is taken, by version. Never edited, only added (X1)."""

from typing import Final

from greenroom.law.reasons import ForAnchor, Words
from greenroom.law.terms import Language


def notice(version: str, language: Language) -> ForAnchor:
    """Return the text of a privacy notice. Raises KeyError for a version that never was."""
    return NOTICES[version].said_in(language)


NOTICES: Final = {
    "2021-08": Words(
        zh=(
            "为落实网络直播主播实名制，平台需要核实出镜主播的身份。\n"
            "我们收集什么：按您的国籍和直播所在地，分别为淘宝APP的认证结果；或护照、在华工作证件的照片及其信息；"
            "或姓名、国籍和邮箱。我们不接收人脸影像，人脸识别在淘宝APP内完成。\n"
            "用途：仅用于判断您能否出镜直播、审核以及依法留存记录。您出镜的账号能看到认证状态，看不到您的证件照片。\n"
            "保护：资料加密保存，工作人员每次查看都会留下记录，您可以索取这些记录。\n"
            "您的权利：您可以查阅、更正、导出和删除资料，也可以随时撤回同意。撤回后您不能再出镜直播，"
            "资料停止使用，法定留存期满后删除。"
        ),
        en=(
            "Live broadcasts require that the real name of every anchor on camera is verified.\n"
            "What we take: depending on your nationality and on where you stand, the outcome of the authentication in "
            "the Taobao app; or photos and data of your passport and of the document that permits you to work in "
            "China; or your name, nationality and e-mail address. We never receive images of your face for "
            "recognition: that happens in the Taobao app.\n"
            "What for: to decide whether you may appear, to review that, and to keep the records that the law demands. "
            "The account that you appear for sees the state of your verification, never the photos of your documents.\n"
            "How it is kept: encrypted. Each time a member of staff reads it, that is written down, and you can ask "
            "for the list.\n"
            "Your rights: to see, correct, export and erase your data, and to withdraw this consent at any time. After "
            "that you no longer appear in broadcasts; your data is no longer used, and is erased once the law allows."
        ),
    ),
    "2026-01": Words(
        zh=(
            "为落实网络直播主播实名制及直播电商相关规定，平台需要在开播前核实出镜主播的身份，并至少每六个月更新一次。\n"
            "我们收集什么：按您的国籍和直播所在地，分别为淘宝APP的认证结果；或护照、在华工作证件的照片及其信息，"
            "以及认证服务方给出的人脸核验结果；或姓名、国籍和邮箱。我们不接收人脸影像。\n"
            "用途：仅用于判断您能否出镜直播、审核以及依法留存记录。您出镜的账号能看到认证状态，看不到您的证件照片。\n"
            "保护：资料加密保存，工作人员每次查看都会留下记录，您可以索取这些记录。每场直播的出镜名单依法至少保存三年，"
            "其中不含您的证件资料。\n"
            "您的权利：您可以查阅、更正、导出和删除资料，也可以随时撤回同意。撤回后您不能再出镜直播，"
            "资料停止使用，法定留存期满后删除。"
        ),
        en=(
            "Live broadcasts require that the real name of every anchor on camera is verified before the broadcast, "
            "and again at least every six months.\n"
            "What we take: depending on your nationality and on where you stand, the outcome of the authentication in "
            "the Taobao app; or photos and data of your passport and of the document that permits you to work in "
            "China, with the outcome of a face check by the provider; or your name, nationality and e-mail "
            "address. We never receive images of your face for recognition.\n"
            "What for: to decide whether you may appear, to review that, and to keep the records that the law demands. "
            "The account that you appear for sees the state of your verification, never the photos of your documents.\n"
            "How it is kept: encrypted. Each time a member of staff reads it, that is written down, and you can ask "
            "for the list. Who appeared in which broadcast is kept for at least three years, without your documents.\n"
            "Your rights: to see, correct, export and erase your data, and to withdraw this consent at any time. After "
            "that you no longer appear in broadcasts; your data is no longer used, and is erased once the law allows."
        ),
    ),
}
