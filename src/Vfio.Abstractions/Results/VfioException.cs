namespace Vfio;

/// <summary>
/// Set-up failed, or the library itself is at fault. What a client, a guest or a stream causes is a <see cref="VfioResult"/> instead.
/// </summary>
public sealed class VfioException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="error">The errno that fits.</param>
    /// <param name="message">What failed and what to do about it.</param>
    /// <param name="inner">What caused it.</param>
    public VfioException(Errno error, string message, Exception? inner = null)
        : base(message, inner) => Error = error;

    /// <summary>The errno that fits.</summary>
    public Errno Error { get; }

    /// <summary>The exception for the errno that a call of libc has just left behind.</summary>
    /// <param name="what">What was attempted, on what.</param>
    public static VfioException FromLibc(string what)
    {
        var error = (Errno)System.Runtime.InteropServices.Marshal.GetLastPInvokeError();
        return new(error, $"{what}: {System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage((int)error)} ({error})");
    }
}
