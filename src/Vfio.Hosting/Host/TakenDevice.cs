namespace Vfio.Hosting;

/// <summary>A device that somebody has taken, over a function or with none under it.</summary>
/// <param name="Name">The function's address, or the mediated device's name.</param>
/// <param name="Bound">The device.</param>
/// <param name="Release">Gives it back.</param>
/// <param name="WhyNot">Why it did not open, for people.</param>
internal sealed record TakenDevice(string Name, BoundDevice Bound, Action Release, Func<Errno, string> WhyNot)
{
    /// <summary>What has to be done before its clients come.</summary>
    public Action BeforeServing { get; init; } = static () => { };
}
