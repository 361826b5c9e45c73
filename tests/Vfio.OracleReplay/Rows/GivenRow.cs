using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Rows;

/// <summary>A row that holds no answer.</summary>
internal sealed class GivenRow(string reason) : RowReplay
{
    public override ValueTask<RowResult> ReplayAsync(RecordedRow row) => ValueTask.FromResult(RowResult.NotComparable(reason));
}
