namespace Vfio;

/// <summary>
/// Success, or the errno with which the other side's request was refused. Costs nothing; never stands for a fault of our own.
/// </summary>
/// <param name="Error">The errno; <see cref="Errno.None"/> for success.</param>
public readonly record struct VfioResult(Errno Error)
{
    /// <summary>Success.</summary>
    public static VfioResult Success => default;

    /// <summary>Whether the request succeeded.</summary>
    public bool IsSuccess => Error == Errno.None;

    /// <summary>A failure.</summary>
    /// <param name="error">The errno.</param>
    public static implicit operator VfioResult(Errno error) => new(error);

    /// <inheritdoc/>
    public override string ToString() => IsSuccess ? "success" : Error.ToString();
}

/// <summary>A value, or the errno with which the other side's request was refused.</summary>
/// <typeparam name="T">What success yields.</typeparam>
public readonly record struct VfioResult<T>
{
    private readonly T _value;

    /// <summary>A success.</summary>
    /// <param name="value">Its value.</param>
    public VfioResult(T value) => _value = value;

    /// <summary>A failure.</summary>
    /// <param name="error">The errno.</param>
    public VfioResult(Errno error)
    {
        Error = error;
        _value = default!;
    }

    /// <summary>The errno; <see cref="Errno.None"/> for success.</summary>
    public Errno Error { get; }

    /// <summary>Whether the request succeeded.</summary>
    public bool IsSuccess => Error == Errno.None;

    /// <summary>What success yielded; the type's default after a failure.</summary>
    public T Value => _value;

    /// <summary>A success.</summary>
    /// <param name="value">Its value.</param>
    public static implicit operator VfioResult<T>(T value) => new(value);

    /// <summary>A failure.</summary>
    /// <param name="error">The errno.</param>
    public static implicit operator VfioResult<T>(Errno error) => new(error);

    /// <summary>The result without its value.</summary>
    /// <param name="result">The result.</param>
    public static implicit operator VfioResult(VfioResult<T> result) => new(result.Error);

    /// <inheritdoc/>
    public override string ToString() => IsSuccess ? $"{_value}" : Error.ToString();
}
