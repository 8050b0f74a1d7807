//! The variables of an evaluation, put together from open and secret parts.
//! Never shows them; wipes them when dropped.

use std::fmt;
use std::ops::Deref;

use zeroize::Zeroize;

use super::Value;
use crate::secret::Secret;

/// An object of variables that may hold secrets: the one place where secrets become a template's input.
pub struct Variables(Value);

impl Variables {
    /// No variables.
    #[must_use]
    pub fn new() -> Self {
        Self(Value::empty_object())
    }

    /// Sets the variable `name`.
    pub fn set(&mut self, name: &str, value: &Value) {
        self.0.overlay(&[(name, value.clone())].into_iter().collect());
    }

    /// Sets the variable `name` to a secret text.
    pub fn set_secret(&mut self, name: &str, text: &Secret<String>) {
        self.set(name, &Value::from(text.expose().as_str()));
    }

    /// Sets the variable `name` to a secret value.
    pub fn set_secret_value(&mut self, name: &str, value: &Secret<Value>) {
        self.set(name, value.expose());
    }

    /// Sets each member of an object as a variable.
    pub fn set_all(&mut self, members: &Value) {
        self.0.overlay(members);
    }

    /// Sets each member of a secret object as a variable.
    pub fn set_all_secret(&mut self, members: &Secret<Value>) {
        self.0.overlay(members.expose());
    }

    /// The object itself; whoever takes it wipes it.
    #[must_use]
    pub fn into_value(mut self) -> Value {
        std::mem::replace(&mut self.0, Value::Null)
    }
}

impl Default for Variables {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Variables {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl Drop for Variables {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[variables]")
    }
}
