using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Rows;

/// <summary>Does again what the rows of one kind did to one function, in their order, and compares.</summary>
internal abstract class RowReplay : IAsyncDisposable
{
    /// <summary>Does what a row did, and compares what it holds.</summary>
    /// <exception cref="RecordingException">The row lacks something.</exception>
    public abstract ValueTask<RowResult> ReplayAsync(RecordedRow row);

    public virtual ValueTask DisposeAsync() => default;
}

/// <summary>Results as the recorder writes them: a count, or an errno negated.</summary>
internal static class Results
{
    public static int Recorded(VfioResult<int> result) => result.IsSuccess ? result.Value : -(int)result.Error;

    public static int Recorded(VfioResult result) => -(int)result.Error;
}
