namespace Vfio.Lab.Qtest;

/// <summary>What a check found to be otherwise.</summary>
internal sealed class CheckFailedException(string message) : Exception(message);

/// <summary>Comparisons that say what was expected and what was found.</summary>
internal static class Expect
{
    internal static void Equal<T>(T expected, T actual, string what)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, actual))
            throw new CheckFailedException($"{what}: expected {expected:x}, found {actual:x}");
    }

    internal static void True(bool condition, string what)
    {
        if (!condition)
            throw new CheckFailedException(what);
    }
}
