// Pays, and writes down what was not paid.

export const pay = ({ amount }: { amount: number }): { paid: number } => ({ paid: amount });

export const note = ({ text }: { text: string }): { noted: string } => ({ noted: text });
