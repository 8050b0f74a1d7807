//! A form as markup: labels, hints, errors beside their fields, and what was typed before.
//! Never writes back what is a secret.

use super::field::{Complaint, Field, Kind, Typed};
use super::page::Html;

/// A form being shown.
pub(super) struct Form<'f> {
    pub(super) fields: &'f [Field],
    /// What was typed before; none when it is shown first.
    pub(super) typed: Option<Typed<'f>>,
    pub(super) complaints: &'f [Complaint],
}

impl Form<'_> {
    /// The fields, with what is wrong with the form as a whole above them.
    pub(super) fn write(&self, html: &mut Html) {
        self.alert(html);
        for field in self.fields {
            self.field(html, field);
        }
    }

    fn alert(&self, html: &mut Html) {
        if self.complaints.is_empty() {
            return;
        }
        html.raw("<div class=\"alert\" role=\"alert\">");
        let of_all: Vec<_> = self.complaints.iter().filter(|complaint| complaint.field.is_empty()).collect();
        for complaint in &of_all {
            html.raw("<p>").text(&complaint.what).raw("</p>");
        }
        if of_all.is_empty() {
            html.raw("<p>Please look at what is marked below.</p>");
        }
        html.raw("</div>");
    }

    fn field(&self, html: &mut Html, field: &Field) {
        match &field.kind {
            Kind::Group(fields) => self.group(html, field, fields),
            Kind::Switch => self.switch(html, field),
            _ => self.labelled(html, field),
        }
    }

    fn group(&self, html: &mut Html, field: &Field, fields: &[Field]) {
        html.raw("<fieldset><legend>").text(&field.label);
        optional(html, field);
        html.raw("</legend>");
        self.hint(html, field);
        for field in fields {
            self.field(html, field);
        }
        self.wrong(html, field);
        html.raw("</fieldset>");
    }

    fn switch(&self, html: &mut Html, field: &Field) {
        html.raw("<div class=\"field\"><div class=\"switch\"><input type=\"checkbox\" value=\"true\"");
        self.attributes(html, field);
        let is_on = match &self.typed {
            Some(typed) => typed.get(&field.name).is_some(),
            None => field.default.as_deref() == Some("true"),
        };
        html.raw(if is_on { " checked>" } else { ">" });
        html.raw("<label for=\"").text(&field.name).raw("\">").text(&field.label).raw("</label></div>");
        self.hint(html, field);
        self.wrong(html, field);
        html.raw("</div>");
    }

    fn labelled(&self, html: &mut Html, field: &Field) {
        html.raw("<div class=\"field\"><label for=\"").text(&field.name).raw("\">").text(&field.label);
        optional(html, field);
        html.raw("</label>");
        self.hint(html, field);
        self.control(html, field);
        self.wrong(html, field);
        html.raw("</div>");
    }

    fn control(&self, html: &mut Html, field: &Field) {
        let value = self.shown(field);
        match &field.kind {
            Kind::Choice(choices) => {
                html.raw("<select");
                self.attributes(html, field);
                html.raw(">");
                if value.is_none() || !field.is_required {
                    html.raw("<option value=\"\">").raw("</option>");
                }
                for (choice, label) in choices {
                    let choice = choice.text();
                    html.raw("<option value=\"").text(&choice);
                    html.raw(if value == Some(choice.as_str()) { "\" selected>" } else { "\">" });
                    html.text(label).raw("</option>");
                }
                html.raw("</select>");
            }
            Kind::Text | Kind::List | Kind::Json => {
                html.raw("<textarea");
                html.raw(if matches!(field.kind, Kind::Json) { " class=\"code\"" } else { "" });
                self.attributes(html, field);
                // The first line end in a text area is not part of its text.
                html.raw(">\n").text(value.unwrap_or_default()).raw("</textarea>");
            }
            kind => {
                let (kind, mode) = match kind {
                    Kind::Number { is_whole: true } => ("text", " inputmode=\"numeric\""),
                    Kind::Number { is_whole: false } => ("text", " inputmode=\"decimal\""),
                    Kind::Line(kind) => (*kind, ""),
                    _ => ("text", ""),
                };
                html.raw("<input type=\"").raw(kind).raw("\"").raw(mode);
                self.attributes(html, field);
                html.raw(" value=\"").text(value.unwrap_or_default()).raw("\">");
            }
        }
    }

    /// Name, place, and what belongs to it. Browsers are not to keep or mend what is typed: it is nobody's own password.
    fn attributes(&self, html: &mut Html, field: &Field) {
        html.raw(" name=\"").text(&field.name).raw("\" id=\"").text(&field.name).raw("\"");
        html.raw(" autocomplete=\"off\" autocapitalize=\"none\" spellcheck=\"false\"");
        if field.is_required && !matches!(field.kind, Kind::Switch) {
            html.raw(" required");
        }
        let is_wrong = self.complaints_of(field).next().is_some();
        if field.description.is_some() || is_wrong || matches!(field.kind, Kind::List) {
            html.raw(" aria-describedby=\"")
                .text(&field.name)
                .raw(".hint ")
                .text(&field.name)
                .raw(".wrong\"");
        }
        if is_wrong {
            html.raw(" aria-invalid=\"true\"");
        }
    }

    fn hint(&self, html: &mut Html, field: &Field) {
        let is_list = matches!(field.kind, Kind::List);
        if field.description.is_none() && !is_list {
            return;
        }
        html.raw("<p class=\"hint\" id=\"").text(&field.name).raw(".hint\">");
        html.text(field.description.as_deref().unwrap_or_default());
        html.raw(match (is_list, field.description.is_some()) {
            (true, true) => " One on each line.",
            (true, false) => "One on each line.",
            _ => "",
        });
        html.raw("</p>");
    }

    fn wrong(&self, html: &mut Html, field: &Field) {
        let complaints: Vec<_> = self.complaints_of(field).collect();
        if complaints.is_empty() {
            return;
        }
        html.raw("<p class=\"wrong\" id=\"").text(&field.name).raw(".wrong\">");
        html.text(complaints.join(" ")).raw("</p>");
    }

    fn complaints_of<'c>(&'c self, field: &'c Field) -> impl Iterator<Item = &'c str> {
        let of_field = self.complaints.iter().filter(|complaint| complaint.field == field.name);
        of_field.map(|complaint| complaint.what.as_str())
    }

    /// What stands in a field: what was typed if that is no secret, else its default.
    fn shown<'s>(&'s self, field: &'s Field) -> Option<&'s str> {
        match &self.typed {
            Some(typed) => typed.get(&field.name).filter(|_| !field.is_secret()),
            None => field.default.as_deref(),
        }
    }
}

fn optional(html: &mut Html, field: &Field) {
    if !field.is_required {
        html.raw(" <span class=\"optional\">(optional)</span>");
    }
}
